import { afterEach, describe, expect, it } from "vitest";
import { limits } from "../../src/core/limits.ts";
import { Fault, refuse } from "../../src/core/result.ts";
import { plainText } from "../../src/slack/blocks/plain-text.ts";
import { messagesIn, type OpenEdge, openEdge, settle, until } from "../slack/open-edge.ts";

const channel = "C0INCIDENTS";
let open: OpenEdge;
/** Frames put onto the socket by a test are acked too; the room, which never sent them, notes that as odd. */
let forgedFrames = false;
afterEach(async () => {
  const flags = open.slack.ledgers().flags.filter((flag) => !(forgedFrames && flag.code === "unknown-ack"));
  forgedFrames = false;
  expect(flags).toEqual([]);
  expect(open.slack.ledgers().lint).toEqual([]);
  await open.close();
});

const type = (text: string, user = "U0ANA", at = channel) => open.slack.people.command(user, { channel: at, text });

/** What the person was told privately, as plain text. */
async function told(text: string, user = "U0ANA", at = channel): Promise<string> {
  const before = messagesIn(open, at).length;
  expect(await type(text, user, at)).toMatchObject({ ok: true });
  await until(open.clock, () => messagesIn(open, at).length > before);
  const answer = messagesIn(open, at)[before];
  expect(answer?.ephemeralFor).toBe(user);
  return `${answer?.text}\n${plainText(answer?.blocks ?? [])}`;
}

describe.each(["socket", "http"] as const)("commands over %s", (transport) => {
  it.each([
    ["/why-500", "/why-500 web on prod-1"],
    ["/why help", "/why web on prod-1"],
    ["/hosts help", "/hosts check prod-1"],
    ["/guardrails help", "/guardrails prod-1"],
    ["/timeline help", "/timeline export md"],
    ["/room137", "/room137 can-i approve web"],
    ["/room137 help", "@room137 help"],
  ])("%s shows help with lines to copy", async (line, example) => {
    open = await openEdge({ transport });
    expect(await told(line)).toContain(example);
    expect(open.fake.asks).toEqual([]);
  });

  it.each([
    ["/why-500 web prod-1", "Did you mean /why-500 web on prod-1 ?"],
    ["/room137 freez", "Did you mean /room137 freeze ?"],
    ["/hosts chek prod-1", "Did you mean /hosts check ?"],
    ["/hosts check", "/hosts check <host>"],
    ["/timeline exprot md", "Did you mean /timeline export ?"],
    ["/room137 <!channel> & *boom*", "It knows help, status, freeze, unfreeze, can-i"],
  ])("%s is answered with what was meant, and does nothing", async (line, hint) => {
    open = await openEdge({ transport });
    const answer = await told(line);
    expect(answer.replaceAll("&lt;", "<").replaceAll("&gt;", ">")).toContain(hint);
    expect(answer).toContain("Nothing was");
    expect(open.slack.ledgers().notifications).toEqual([]);
  });
});

describe("commands", () => {
  it("tell a refusal privately in three sentences", async () => {
    open = await openEdge();
    open.fake.answers.ask = async () =>
      refuse("unknown-host", "There is no host called <!here>.", "Nothing was looked at.", "See /hosts list.");
    const answer = await told("/why-500 web on nowhere");
    expect(answer).toContain("There is no host called &lt;!here&gt;.");
    expect(answer).toContain("Nothing was looked at.");
    expect(answer).toContain("See /hosts list.");
    expect(open.slack.ledgers().notifications).toEqual([]);
  });

  it("tell a fault privately, with what to do, and an unknown failure without its insides", async () => {
    open = await openEdge();
    open.fake.answers.ask = async () => {
      throw new Fault("store-unavailable", "Appending: disk full.", "Free space.");
    };
    expect(await told("/why-500 web")).toContain("Free space.");
    open.fake.answers.ask = async () => {
      throw new TypeError("cannot read secrets of undefined");
    };
    const answer = await told("/why-500 web");
    expect(answer).toContain("Something broke inside room137.");
    expect(answer).not.toContain("secrets");
  });

  it("say how to invite the bot where it is not in the channel, and open nothing", async () => {
    open = await openEdge();
    expect(await told("/why-500 web", "U0ANA", "C0GENERAL")).toContain("/invite @room137");
    expect(await told("/why-500 web", "U0CHI", "C0SECRET")).toContain("/invite @room137");
    expect(open.fake.asks).toEqual([]);
  });

  it("open incidents for any symptom, as typed and by whom", async () => {
    open = await openEdge();
    await type("/why db on prod-2", "U0GUEST");
    await type("/why db on prod-2", "U0BEN");
    await until(open.clock, () => open.fake.asks.length === 1);
    expect(open.fake.asks).toMatchObject([
      {
        service: "db",
        host: "prod-2",
        symptom: "any",
        command: "/why db on prod-2",
        by: { userId: "U0BEN", groups: ["S0ONCALL"] },
      },
    ]);
  });

  it("do not open anything while Slack cannot say who asks", async () => {
    open = await openEdge();
    open.slack.inject({ kind: "api-error", method: "users.info", times: 1, error: "fatal_error" });
    const answer = await told("/why-500 web");
    expect(answer).toContain("Nothing was done. Try again in a moment.");
    expect(open.fake.asks).toEqual([]);
  });

  it("list, check and remove hosts", async () => {
    open = await openEdge();
    const host = { name: "prod-1", address: "10.0.0.5", local: false, labels: {}, origin: "config" as const };
    open.fake.answers.hosts = async () => [
      { ...host, ok: true, detail: "engine 27.1" },
      { ...host, name: "prod-2", ok: null, detail: "" },
    ];
    const list = await told("/hosts");
    expect(list).toContain("2 hosts");
    expect(list).toContain("prod-2 (10.0.0.5) not read yet");
    open.fake.answers.checkHost = async (name) => [
      { check: "kernel log", ok: false, level: "error", detail: `denied on ${name}`, fix: "usermod -aG adm room137" },
    ];
    await type("/hosts check prod-1");
    await until(open.clock, () => messagesIn(open, channel).some((one) => one.text.includes("usermod -aG adm")));
    open.fake.answers.removeHost = async (by, name) => ({ said: `${by.userId} removed ${name}` });
    expect(await told("/hosts remove prod-2")).toContain("U0ANA removed prod-2");
  });

  it("show hazards per host, and what could not be seen", async () => {
    open = await openEdge();
    open.fake.answers.guardrails = async (host) => ({
      report: {
        schemaVersion: 1,
        hosts: [
          {
            host: host ?? "prod-1",
            findings: [
              { rule: "r", level: "error", container: "db", found: "no memory limit.", fix: "Set one.", evidence: "e" },
            ],
          },
        ],
        gaps: [{ source: "kernel-log", host: "prod-1", reason: "denied", weakens: "past kills are not seen" }],
      },
    });
    await type("/guardrails prod-1");
    await until(open.clock, () => messagesIn(open, channel).some((one) => one.text.includes("Set one.")));
    const last = messagesIn(open, channel).at(-1)?.text ?? "";
    expect(last).toContain("1 hazard");
    expect(last).toContain("past kills are not seen");
  });

  it("freeze with the reason as typed, and explain rights", async () => {
    open = await openEdge();
    const frozen: unknown[] = [];
    open.fake.answers.setFrozen = async (by, on, reason) => {
      frozen.push([by.userId, on, reason]);
      return { said: on ? "Frozen." : "Unfrozen." };
    };
    expect(await told("/room137 freeze  deploy of *web* runs")).toContain("Frozen.");
    expect(await told("/room137 unfreeze")).toContain("Unfrozen.");
    expect(frozen).toEqual([
      ["U0ANA", true, "deploy of *web* runs"],
      ["U0ANA", false, null],
    ]);
    expect(await told("/room137 can-i approve web on prod-1")).toContain("you may approve web on prod-1");
    expect(await told("/room137 status")).toContain("No incident is open.");
  });

  it("show the timeline, note, and export into the incident's thread", async () => {
    open = await openEdge();
    await type("/why-500 web");
    await until(open.clock, () => open.fake.posted.length === 1);
    const threadTs = open.fake.posted[0]?.threadTs ?? "";
    const common = { incidentId: "i-0001", hash: "", atMs: open.clock.nowMs() };
    open.fake.answers.entries = async () => [
      {
        ...common,
        seq: 1,
        actor: { kind: "person", userId: "U0ANA", name: "ana" },
        body: {
          kind: "opened",
          target: { service: "web", symptom: "http-500", host: null },
          room: { channel, threadTs },
          command: "/why-500 web",
        },
      },
      ...Array.from({ length: 30 }, (_, index) => ({
        ...common,
        seq: index + 2,
        actor: { kind: "room137" as const },
        body: { kind: "note" as const, text: `note ${index}`, from: null },
      })),
    ];
    const shown = await told("/timeline i-0001");
    expect(shown).toContain("note 29");
    expect(shown).toContain("11 earlier ones are in the export");
    expect(await told("/timeline note rolled back by <@U0BEN> & co")).toContain("Noted.");
    expect(open.fake.notes).toMatchObject([{ incidentId: "i-0001", text: "rolled back by U0BEN & co", from: null }]);
    open.fake.answers.export = async (incidentId, format) => ({
      filename: `${incidentId}.${format}`,
      contentType: "text/markdown",
      text: "# web",
    });
    expect(await told("/timeline export MD")).toContain("i-0001.md is in the incident's thread");
    await until(open.clock, () => messagesIn(open, channel).some((one) => one.files.length > 0));
    const file = messagesIn(open, channel).find((one) => one.files.length > 0);
    expect(file?.threadTs).toBe(threadTs);
  });

  it("add a host through the form, whose mistakes are told in it", async () => {
    open = await openEdge();
    await type("/hosts add");
    await until(open.clock, () => open.slack.world.stacks.get("U0ANA")?.length === 1);
    const viewId = open.slack.world.stacks.get("U0ANA")?.[0]?.id ?? "";
    const good = {
      name: { value: "prod-3" },
      address: { value: "10.0.0.7" },
      port: { value: "22" },
      user: { value: "room137" },
      hostKey: { value: "SHA256:uNiVztksCsDhcc0u9e8BrrJXVUXqPbvFWlUHKDh7ER0" },
      identityFile: { value: "/etc/room137/inspect_ed25519" },
    };
    const bad = { ...good, port: { value: "ssh" }, identityFile: { value: "-----BEGIN OPENSSH PRIVATE KEY-----" } };
    expect(await open.slack.people.submit("U0ANA", { viewId, values: bad })).toMatchObject({ outcome: "errors" });
    const errors = open.slack.world.stacks.get("U0ANA")?.[0]?.errors ?? {};
    expect(Object.keys(errors).sort()).toEqual(["identityFile", "port"]);
    const added: unknown[] = [];
    open.fake.answers.addHost = async (by, host) => {
      added.push([by.userId, host]);
      return { said: `Added ${host.name}.` };
    };
    expect(await open.slack.people.submit("U0ANA", { viewId, values: good })).toMatchObject({ outcome: "closed" });
    await until(open.clock, () => messagesIn(open, channel).some((one) => one.text === "Added prod-3."));
    expect(added).toEqual([
      [
        "U0ANA",
        {
          name: "prod-3",
          address: "10.0.0.7",
          port: 22,
          user: "room137",
          hostKey: good.hostKey.value,
          identityFile: good.identityFile.value,
        },
      ],
    ]);
  });

  it("greet a channel once, however often the bot is invited", async () => {
    open = await openEdge();
    forgedFrames = true;
    const join = { type: "member_joined_channel", user: "U0ROOM137", channel };
    for (const id of ["Ev1", "Ev2"]) {
      const payload = { type: "event_callback", event_id: id, team_id: "T0LOCAL", event: join };
      const frame = JSON.stringify({ type: "events_api", envelope_id: id, payload });
      open.slack.inject({ kind: "raw-frame", text: frame });
    }
    await until(open.clock, () => messagesIn(open, channel).length === 1);
    await open.clock.advance(10_000);
    await settle();
    expect(messagesIn(open, channel).map((one) => one.text)).toEqual([expect.stringContaining("room137 is here.")]);
  });

  it("draw the Home tab, and again when what it shows has changed, for as long as somebody may be looking", async () => {
    open = await openEdge();
    let frozen: { by: string; atMs: number; reason: string } | null = { by: "U0BEN", atMs: 0, reason: "deploy" };
    open.fake.answers.status = async () => ({
      frozen,
      openIncidents: [
        { incidentId: "i-0001", service: "web", state: "running", openedAtMs: 0, channel, threadTs: null },
      ],
      pendingApprovals: [],
      hosts: [],
      version: "9.9",
    });
    const shown = () => plainText((open.slack.world.homes.get("U0ANA")?.body["blocks"] ?? []) as unknown[]);
    const drawn = () => open.slack.journal().filter((entry) => entry.name === "views.publish").length;
    open.slack.people.openHome("U0ANA", {});
    await until(open.clock, () => open.slack.world.homes.has("U0ANA"));
    for (const part of [
      "Frozen",
      "deploy",
      "web",
      "running",
      "Nothing waits for approval.",
      "room137 9.9",
      "/hosts add",
    ])
      expect(shown()).toContain(part);

    frozen = null;
    await open.clock.advance(limits.slackBeatMs);
    await until(open.clock, () => drawn() === 2);
    expect(shown()).not.toContain("Frozen");
    await open.clock.advance(3 * limits.slackBeatMs);
    await settle();
    expect(drawn()).toBe(2);

    await open.clock.advance(limits.homeWatchedMs);
    frozen = { by: "U0BEN", atMs: 0, reason: "night" };
    await open.clock.advance(3 * limits.slackBeatMs);
    await settle();
    expect(drawn()).toBe(2);
  });
});
