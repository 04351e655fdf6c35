import { afterEach, expect, it } from "vitest";
import { actionIds, buttonValue } from "../../src/core/buttons.ts";
import { createRandom } from "../../src/local-room/random.ts";
import type { OutboxRow } from "../../src/ports.ts";
import { messagesIn, type OpenEdge, openEdge, postRow, row, settle, until } from "./open-edge.ts";

const channels = ["C0INCIDENTS", "C0ONCALL"];
const hash = "ab".repeat(32);
const commandsAndClicks = 200;
const spanMs = 180_000;
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => void rejections.push(reason);
let open: OpenEdge | null = null;
afterEach(async () => {
  await open?.close();
  process.off("unhandledRejection", onRejection);
});

const cardBlocks = (incidentId: string) => [
  {
    type: "actions",
    block_id: `plan-${incidentId}`,
    elements: [
      {
        type: "button",
        action_id: actionIds.approve,
        text: { type: "plain_text", text: "Approve", emoji: false },
        value: buttonValue(incidentId, hash, 1),
      },
    ],
  },
];

/** Everything that Slack does on a bad day, at random but always the same: what and how often. */
function trouble(slack: OpenEdge["slack"], dice: (below: number) => number): void {
  const faults = [
    () => slack.inject({ kind: "duplicate-envelopes", times: 1 + dice(3) }),
    () => slack.inject({ kind: "rate-limited", method: "chat.postMessage", times: 1, retryAfterSeconds: 1 + dice(5) }),
    () => slack.inject({ kind: "rate-limited", method: "chat.update", times: 1, retryAfterSeconds: 1 + dice(10) }),
    () => slack.inject({ kind: "http-error", method: "chat.postMessage", times: 1 + dice(2), status: 500 }),
    () => slack.inject({ kind: "lost-answer", method: "chat.postMessage", times: 1 }),
    () => slack.inject({ kind: "lost-answer", method: "chat.update", times: 1 }),
    () => slack.inject({ kind: "api-error", method: "chat.postMessage", times: 1, error: "fatal_error" }),
    () => slack.inject({ kind: "disconnect", reason: "refresh_requested", connection: "one" }),
    () => slack.inject({ kind: "disconnect", reason: "refresh_requested", connection: "all" }),
    () => slack.inject({ kind: "drop-connections", connection: "one" }),
    () => slack.inject({ kind: "deliver-during-close", times: 1 }),
    () => slack.inject({ kind: "raw-frame", text: ["null", "[]", "not json"][dice(3)] ?? "null" }),
    () => slack.inject({ kind: "app-rate-limited" }),
  ];
  faults[dice(faults.length)]?.();
}

it.each(["socket", "http"] as const)(
  "loses nothing, doubles nothing, keeps the order in a storm of 200 commands and clicks over %s",
  async (transport) => {
    process.on("unhandledRejection", onRejection);
    const dice = createRandom(137).below;
    open = await openEdge({ transport });
    const { slack, clock, edge, fake } = open;
    const opened = new Map<string, { command: string; channel: string }>();
    fake.answers.ask = async (request) => {
      const incidentId = `i-${String(opened.size + 1).padStart(4, "0")}`;
      const channel = request.place?.channel ?? "";
      opened.set(incidentId, { command: request.command, channel });
      const root = postRow(
        incidentId,
        "root",
        channel,
        null,
        `Asked: ${request.command}`,
        clock.nowMs(),
        cardBlocks(incidentId),
      );
      const thread = ["one", "two", "three"].map((text) =>
        postRow(incidentId, text, channel, { key: root.key }, `${request.command} ${text}`, clock.nowMs()),
      );
      const edits = [1, 2, 3].map(
        (revision): OutboxRow =>
          row(
            incidentId,
            `edit ${revision}`,
            channel,
            {
              kind: "update",
              message: { key: root.key },
              text: `Asked: ${request.command} (revision ${revision})`,
              blocks: cardBlocks(incidentId).map((block) => ({ ...block, block_id: `${block.block_id}-${revision}` })),
            },
            clock.nowMs(),
          ),
      );
      await edge.store.enqueue([root, ...thread.flatMap((reply, index) => [edits[index] ?? reply, reply])]);
      return { incidentId };
    };

    const acks: number[] = [];
    const shown = { failed: 0 };
    const asked = new Set<string>();
    const clicked: string[] = [];
    const watch = (answer: { ok: boolean; ackMs?: number }, onOk: () => void) => {
      if (!answer.ok) {
        shown.failed += 1;
        return;
      }
      acks.push(answer.ackMs ?? 0);
      onOk();
    };
    const pending: Promise<void>[] = [];
    for (let turn = 0; turn < commandsAndClicks; turn++) {
      const channel = channels[dice(2)] ?? "";
      const cards = messagesIn({ slack }, channel).filter((one) => one.fromApp && one.threadTs === null);
      const card = cards[dice(Math.max(1, cards.length))];
      const actions = (card?.blocks ?? []).find((block) => block["type"] === "actions");
      if (turn % 4 !== 0 && card !== undefined && actions !== undefined) {
        const click = { channel, ts: card.ts, blockId: String(actions["block_id"]), actionId: actionIds.approve };
        pending.push(slack.people.act("U0BEN", click).then((answer) => watch(answer, () => clicked.push(card.ts))));
      } else {
        const text = `/why svc-${turn}`;
        pending.push(
          slack.people.command("U0ANA", { channel, text }).then((answer) => watch(answer, () => asked.add(text))),
        );
      }
      if (dice(3) === 0) trouble(slack, dice);
      await settle();
      await clock.advance(spanMs / commandsAndClicks);
    }
    // Slack gives up on an answer after three seconds.
    const answeredMs = clock.nowMs() + 5_000;
    await until(clock, () => clock.nowMs() >= answeredMs, 1_000);
    await Promise.all(pending);

    const expected = () => [...opened.values()].length * 4;
    const posts = () =>
      channels.flatMap((channel) => messagesIn({ slack }, channel)).filter((one) => one.ephemeralFor === null);
    await until(clock, () => fake.decisions.length >= clicked.length && posts().length >= expected(), 500);
    slack.inject({ kind: "clear" });
    const roots = () => posts().filter((one) => one.threadTs === null || one.threadTs === one.ts);
    await until(clock, () => roots().every((one) => one.text.endsWith("(revision 3)")), 500);
    await clock.advance(400_000);
    await settle();

    // Every command that was acked opened one incident, and no incident was opened for any other reason.
    expect([...opened.values()].map((one) => one.command).sort()).toEqual([...asked].sort());
    expect(fake.decisions).toHaveLength(clicked.length);
    const keys = posts().map((one) => JSON.stringify(one.metadata));
    const doubled = keys.length - new Set(keys).size;
    const lost = expected() + clicked.length + asked.size - (new Set(keys).size + fake.decisions.length + opened.size);
    expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
    for (const [incidentId, { command, channel }] of opened) {
      const own = messagesIn({ slack }, channel).filter((one) =>
        JSON.stringify(one.metadata).includes(`"${incidentId}:`),
      );
      const [root, ...replies] = own;
      expect(root?.text).toBe(`Asked: ${command} (revision 3)`);
      expect(replies.map((one) => one.text)).toEqual(["one", "two", "three"].map((text) => `${command} ${text}`));
      expect(new Set(replies.map((one) => one.threadTs))).toEqual(new Set([root?.ts]));
    }
    expect(rejections).toEqual([]);
    expect(slack.ledgers().flags).toEqual([]);
    expect(Math.max(...acks)).toBeLessThanOrEqual(1_000);
    const calls = slack.journal().filter((entry) => entry.kind === "call");
    const count = (name: string, ok: boolean) => calls.filter((entry) => entry.name === name && entry.ok === ok).length;
    console.log(
      [
        `storm over ${transport}: ${commandsAndClicks} commands and clicks in ${spanMs / 60_000} virtual minutes`,
        `acked ${acks.length}, shown as failed to the person ${shown.failed} (connection reset under them)`,
        `incidents ${opened.size}, decisions ${fake.decisions.length}, messages ${posts().length}, lost ${lost}, doubled ${doubled}`,
        `ack max ${Math.max(...acks)} ms (virtual)`,
        `posts ok ${count("chat.postMessage", true)}, refused ${count("chat.postMessage", false)}`,
        `edits ok ${count("chat.update", true)}, looked up ${count("conversations.replies", true) + count("conversations.history", true)}`,
        `connections opened ${slack.journal().filter((entry) => entry.kind === "connection" && entry.name === "open").length}`,
      ].join("\n  "),
    );
  },
);
