import { describe, expect, it } from "vitest";
import { isRefusal } from "../../src/core/result.ts";
import { alice, askAboutWeb, bob, fakeRoom, incidentWithPlan, kinds, person } from "../fakes/fake-room.ts";
import { settle } from "../fakes/fake-time.ts";

const eve = person("UEVE");
const rule = { who: ["UALICE"], hosts: {}, containers: ["web"], actions: ["start" as const], deny: false };

async function limitedTo(verbs: ("look" | "note")[]) {
  const { deps } = await fakeRoom();
  return await fakeRoom({ config: { approvals: { ...deps.config.approvals, rules: [{ ...rule, verbs }] } } });
}

describe("asking", () => {
  it("answers at once with a speakable id, and tells in the thread what it finds", async () => {
    const fake = await fakeRoom();
    const asked = await fake.room.ask(askAboutWeb());
    if (isRefusal(asked)) throw new Error(asked.found);
    expect(asked.incidentId).toMatch(/^i-[a-z0-9]{6}$/);
    expect(kinds(await fake.room.entries(asked.incidentId))).toEqual(["opened", "investigating"]);
    await fake.room.settled(asked.incidentId);
    expect(kinds(await fake.room.entries(asked.incidentId))).toEqual([
      "opened",
      "investigating",
      "diagnosed",
      "plan-proposed",
    ]);
  });

  it("answers in the thread when there is no such service, or when no host answers", async () => {
    const fake = await fakeRoom();
    for (const service of ["web", "wbe"]) {
      fake.host.unreachable = service === "web";
      const asked = await fake.room.ask(askAboutWeb({ service }));
      if (isRefusal(asked)) throw new Error(asked.found);
      await fake.room.settled(asked.incidentId);
      expect(kinds(await fake.room.entries(asked.incidentId))).toEqual(["opened", "investigating", "diagnosed"]);
    }
    const status = await fake.room.hosts(null);
    expect(status).toMatchObject([{ name: "h1", ok: true, origin: "room", labels: { env: "prod" } }]);
  });

  it("takes another id when one is taken, and is refused without a host or for a host that is not there", async () => {
    const ids = ["owner1", "aaaaaa", "aaaaaa", "bbbbbb"];
    const fake = await fakeRoom({ deps: { newId: () => ids.shift() ?? "zzzzzz" } });
    const first = await fake.room.ask(askAboutWeb());
    const second = await fake.room.ask(askAboutWeb());
    expect([first, second]).toEqual([{ incidentId: "i-aaaaaa" }, { incidentId: "i-bbbbbb" }]);
    expect(await fake.room.ask(askAboutWeb({ host: "h9" }))).toMatchObject({ code: "unknown-host" });
    expect(await fake.room.ask(askAboutWeb({ service: " " }))).toMatchObject({ code: "bad-input" });
    const blind = await fakeRoom({ config: { channels: { C1: { hosts: [] } } } });
    expect(await blind.room.ask(askAboutWeb())).toMatchObject({ code: "unknown-host" });
    expect(await blind.room.hosts("C1")).toEqual([]);
    expect(await blind.room.guardrails("h1", "C1")).toMatchObject({ code: "unknown-host" });
    expect(await blind.room.guardrails(null, "C2")).toMatchObject({ report: { hosts: [{ host: "h1" }] } });
    expect(await blind.room.checkHost("h1", "C1")).toMatchObject({
      found: "There is no host called h1 here; known: none.",
    });
  });

  it("goes by the person's right to look, and reads only what that person may", async () => {
    const fake = await limitedTo(["look"]);
    expect(await fake.room.ask(askAboutWeb({ by: eve }))).toMatchObject({ code: "not-allowed" });
    expect(await fake.room.ask(askAboutWeb())).toHaveProperty("incidentId");
    expect(await fake.room.ask(askAboutWeb({ service: "db" }))).toMatchObject({ code: "not-allowed" });
    expect(await fake.room.ask(askAboutWeb({ by: { userId: null } }))).toHaveProperty("incidentId");
  });

  it("answers the terminal without keeping anything", async () => {
    const fake = await fakeRoom();
    const report = await fake.room.answer(askAboutWeb({ by: { userId: null }, place: null }));
    expect(report).toMatchObject({
      verdict: "root-cause",
      rootCause: { container: "db" },
      plan: { steps: [{ action: "update-memory" }, { action: "start" }] },
    });
    expect(await fake.store.incidents({ limit: 5 })).toEqual([]);
    fake.host.unreachable = true;
    await expect(fake.room.answer(askAboutWeb())).rejects.toMatchObject({ code: "host-unreachable" });
  });

  it("says nothing runs when the store cannot be written", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    await fake.store.close();
    await expect(fake.room.decide(incidentId, hash, bob, { verb: "approve", reason: null })).rejects.toMatchObject({
      code: "store-unavailable",
    });
    expect(fake.host.effects).toEqual([]);
  });
});

describe("the timeline", () => {
  it("takes notes from who may, and refuses what is no note", async () => {
    const fake = await limitedTo(["note"]);
    const { incidentId } = await incidentWithPlan(fake);
    expect(await fake.room.note(incidentId, alice, " called the vendor ", "https://x/1")).toHaveProperty("said");
    expect((await fake.room.entries(incidentId)).at(-1)).toMatchObject({
      actor: { kind: "person", userId: "UALICE" },
      body: { kind: "note", text: "called the vendor", from: "https://x/1" },
    });
    expect(await fake.room.note(incidentId, eve, "x", null)).toMatchObject({ code: "not-allowed" });
    expect(await fake.room.note(incidentId, alice, "  ", null)).toMatchObject({ code: "bad-input" });
    expect(await fake.room.note(incidentId, alice, "x".repeat(3_001), null)).toMatchObject({ code: "bad-input" });
    expect(await fake.room.note("i-none00", alice, "x", null)).toMatchObject({ code: "unknown-incident" });
  });

  it("learns its thread once, and is found by id, by thread and as the newest of its channel", async () => {
    const fake = await fakeRoom();
    const { incidentId } = await incidentWithPlan(fake);
    const place = { channel: "C1", threadTs: "17.1" };
    await Promise.all([fake.room.posted(incidentId, place), fake.room.posted(incidentId, place)]);
    expect(kinds(await fake.room.entries(incidentId)).filter((kind) => kind === "room-posted")).toHaveLength(1);
    const find = (incident: string | null, channel: string | null, threadTs: string | null) =>
      fake.room.findIncident({ incident, channel, threadTs });
    expect(await find(incidentId.toUpperCase(), null, null)).toEqual({ incidentId });
    expect(await find(null, "C1", "17.1")).toEqual({ incidentId });
    expect(await find(null, "C1", "99.9")).toEqual({ incidentId });
    expect(await find(null, null, null)).toEqual({ incidentId });
    expect(await find(null, "C2", null)).toMatchObject({ code: "unknown-incident" });
    expect(await find("i-nope00", null, null)).toMatchObject({ code: "unknown-incident" });
  });

  it("is not shown by its id in a channel that may not see its hosts, except where it is told", async () => {
    const fake = await fakeRoom({ config: { channels: { C2: { hosts: [] } } } });
    const { incidentId } = await incidentWithPlan(fake);
    const find = (channel: string) => fake.room.findIncident({ incident: incidentId, channel, threadTs: null });
    expect(await find("C1")).toEqual({ incidentId });
    expect(await find("C3")).toEqual({ incidentId });
    expect(await find("C2")).toMatchObject({ code: "unknown-incident" });
  });

  it("is exported, and who exported it is in it", async () => {
    const fake = await fakeRoom();
    const { incidentId } = await incidentWithPlan(fake);
    const by = { kind: "person" as const, userId: "UALICE", name: "alice" };
    const exported = await fake.room.export(incidentId, "json", by);
    expect(exported).toMatchObject({ filename: `${incidentId}.json`, contentType: "application/json" });
    expect((await fake.room.entries(incidentId)).at(-1)).toMatchObject({
      actor: by,
      body: { kind: "shared", what: "the timeline as json" },
    });
    expect(await fake.room.export(incidentId, "constructor", by)).toMatchObject({ code: "bad-input" });
    expect(await fake.room.export("i-nope00", "json", by)).toMatchObject({ code: "unknown-incident" });
    const kept = await fake.store.document("snapshot", incidentId);
    const { readings } = JSON.parse(kept?.json ?? "{}") as { readings: { source: string }[] };
    expect(readings.map((reading) => reading.source)).toEqual(expect.arrayContaining(["docker-inspect", "kernel-log"]));
  });

  it("records although what is said of it breaks", async () => {
    const fake = await fakeRoom({
      deps: {
        announce: () => {
          throw new Error("no words");
        },
      },
    });
    const { incidentId, hash } = await incidentWithPlan(fake);
    await fake.room.decide(incidentId, hash, bob, { verb: "approve", reason: null });
    await fake.room.settled(incidentId);
    expect(kinds(await fake.room.entries(incidentId)).at(-1)).toBe("verified");
    expect(fake.errors[0]).toContain("no words");
  });
});

describe("hosts and rights", () => {
  const input = { name: "h2", address: "10.0.0.2", port: 22, user: "u", hostKey: "SHA256:x", identityFile: "/k" };
  const config = { ...input, local: false, labels: {} } as never;

  it("are added and removed by who may, come back after a start, and reach other replicas", async () => {
    const fake = await fakeRoom({ deps: { parseHost: () => config } });
    expect(await fake.room.addHost(eve, input)).toMatchObject({ code: "not-allowed" });
    expect(await fake.room.addHost(bob, input)).toHaveProperty("said");
    expect(await fake.room.addHost(bob, input)).toMatchObject({ code: "bad-input" });
    expect((await fake.room.hosts(null)).map((host) => [host.name, host.origin])).toEqual([
      ["h1", "room"],
      ["h2", "room"],
    ]);
    const own = fake.deps.hosts;
    const other = await fakeRoom({
      store: fake.store,
      time: fake.time,
      config: { hosts: [{ ...(config as object), name: "h1" } as never] },
      deps: { parseHost: () => config },
    });
    await other.room.resume();
    expect((await other.room.hosts(null)).map((host) => [host.name, host.origin])).toEqual([
      ["h1", "config"],
      ["h2", "room"],
    ]);
    expect(await other.room.removeHost(bob, "h1")).toMatchObject({ code: "not-allowed" });
    expect(await fake.room.removeHost(eve, "h2")).toMatchObject({ code: "not-allowed" });
    expect(await fake.room.removeHost(bob, "h2")).toHaveProperty("said");
    expect(own.names()).toEqual(["h1"]);
    await fake.time.advance(5_000);
    await settle();
    expect((await other.room.hosts(null)).map((host) => host.name)).toEqual(["h1"]);
    expect(await fake.room.removeHost(bob, "h2")).toMatchObject({ code: "unknown-host" });
    await other.room.stop(0);
  });

  it("refuse a host that is wrong, with what is wrong", async () => {
    const fake = await fakeRoom();
    expect(await fake.room.addHost(bob, input)).toMatchObject({
      code: "bad-input",
      found: "This is no valid host: needs an address.",
    });
  });

  it("are checked, and the check is remembered", async () => {
    const fake = await fakeRoom();
    expect(await fake.room.checkHost("h9", null)).toMatchObject({ code: "unknown-host" });
    expect(await fake.room.checkHost("h1", null)).toMatchObject([{ level: "info" }, { level: "warning", ok: false }]);
    expect(await fake.room.hosts(null)).toMatchObject([{ ok: true, detail: "checked" }]);
  });

  it("are explained without doing anything", async () => {
    const fake = await fakeRoom();
    const said = async (by: typeof bob, verb: string, target: string) => (await fake.room.canI(by, verb, target)).said;
    expect(await said(bob, "approve", "db")).toBe(
      "approve db: Yes, on h1: you are among approvals.approvers. A plan you asked for yourself is for others to approve.",
    );
    expect(await said(eve, "approve", "db on h1")).toMatch(/^approve db: No, on h1: you are not among/);
    expect(await said(eve, "look", "h1")).toBe("look any container: Yes, on h1: no rule limits who may look.");
    expect(await said(eve, "fly", "h1")).toContain("there are look, note, approve, administer");
    expect(await said(eve, "look", "db on h9")).toBe("There is no host called h9.");
    expect(await fake.store.entries("fleet")).toEqual([]);
  });
});
