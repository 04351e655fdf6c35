import { afterEach, describe, expect, it } from "vitest";
import { actionIds, buttonValue } from "../../src/core/buttons.ts";
import { messagesIn, type OpenEdge, openEdge, postRow, until } from "./open-edge.ts";

const channel = "C0INCIDENTS";
const hash = "ab".repeat(32);
let open: OpenEdge | null = null;
afterEach(async () => {
  await open?.close();
  open = null;
});

const card = [
  {
    type: "actions",
    block_id: "plan",
    elements: [
      {
        type: "button",
        action_id: actionIds.approve,
        text: { type: "plain_text", text: "Approve", emoji: false },
        value: buttonValue("i-0001", hash, 1),
      },
    ],
  },
];

describe.each(["socket", "http"] as const)("the edge over %s", (transport) => {
  it("takes a command, opens one incident and tells it in channel and thread, in order", async () => {
    open = await openEdge({ transport });
    const { slack, fake, clock, edge } = open;
    expect(await slack.people.command("U0ANA", { channel, text: "/why-500 `web` on prod-1" })).toMatchObject({
      ok: true,
    });
    await until(clock, () => fake.asks.length === 1);
    expect(fake.asks[0]).toMatchObject({
      service: "web",
      host: "prod-1",
      symptom: "http-500",
      place: { channel, threadTs: null },
      by: { userId: "U0ANA", name: "ana", isBot: false, isGuest: false, groups: [] },
    });
    const root = { key: "i-0001:root" };
    const texts = ["first", "second", "third"];
    await edge.store.enqueue(texts.map((text) => postRow("i-0001", text, channel, root, text, clock.nowMs())));
    await until(clock, () => messagesIn({ slack }, channel).length === 4);
    const [parent, ...replies] = messagesIn({ slack }, channel);
    expect(parent?.text).toBe("Asked: /why-500 `web` on prod-1");
    expect(replies.map((reply) => [reply.text, reply.threadTs])).toEqual(texts.map((text) => [text, parent?.ts]));
    expect(fake.posted).toEqual([{ incidentId: "i-0001", channel, threadTs: parent?.ts }]);
    expect(slack.ledgers().flags).toEqual([]);
  });

  it("hands a click to the room with who clicked now, groups included", async () => {
    open = await openEdge({ transport });
    const { slack, fake, clock, edge } = open;
    await edge.store.enqueue([postRow("i-0001", "root", channel, null, "The plan", clock.nowMs(), card)]);
    await until(clock, () => messagesIn({ slack }, channel).length === 1);
    const ts = messagesIn({ slack }, channel)[0]?.ts ?? "";
    const click = { channel, ts, blockId: "plan", actionId: actionIds.approve };
    expect(await slack.people.act("U0BEN", click)).toMatchObject({ ok: true });
    await until(clock, () => fake.decisions.length === 1);
    expect(fake.decisions[0]).toMatchObject({
      incidentId: "i-0001",
      hash,
      by: { userId: "U0BEN", groups: ["S0ONCALL"] },
      decision: { verb: "approve", reason: null },
    });
  });
});
