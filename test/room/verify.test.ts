import { describe, expect, it } from "vitest";
import { askAboutWeb, bodyOf, fakeRoom, incidentWithPlan, run, stateOf } from "../fakes/fake-room.ts";

const _approve = { verb: "approve" as const, reason: null };

describe("verification", () => {
  it("is not recovered when the path still fails although the steps were done", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    fake.host.itemsStatus = 500;
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({
      outcome: "not-recovered",
      probes: expect.arrayContaining([expect.stringMatching(/^web: GET \/items on port 8000 answered 500/)]),
    });
  });

  it("is not recovered when the container ends again at once", async () => {
    const fake = await fakeRoom();
    fake.host.diesAtStart = true;
    const { incidentId, hash } = await incidentWithPlan(fake);
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({ outcome: "not-recovered" });
  });

  it("is inconclusive when the host is lost after the last step", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const act = fake.host.act;
    fake.host.act = (action) => {
      const said = act(action);
      if (action.action === "start") fake.host.unreachable = true;
      return said;
    };
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({
      outcome: "inconclusive",
      changes: ["h1 could not be compared: its containers were not read afterwards"],
    });
    expect(await stateOf(fake, incidentId)).toBe("unverified");
  });

  it("is inconclusive where nothing can be probed and the log only stays silent", async () => {
    const fake = await fakeRoom({ config: { services: {} } });
    const { incidentId, hash } = await incidentWithPlan(fake);
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({ outcome: "inconclusive" });
  });

  it("is not recovered where the log complains again after the last step", async () => {
    const fake = await fakeRoom({ config: { services: {} } });
    const { incidentId, hash } = await incidentWithPlan(fake);
    const act = fake.host.act;
    fake.host.act = (action) => {
      const at = new Date(fake.time.clock.nowMs() + 1_000).toISOString();
      const line = 'connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused';
      fake.host.webLogs = [`${at} psycopg2.OperationalError: ${line}`];
      return act(action);
    };
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({
      outcome: "not-recovered",
      probes: expect.arrayContaining([expect.stringContaining("web: psycopg2.OperationalError")]),
    });
  });

  it("is recovered where what was asked about is what was started, and it runs on", async () => {
    const fake = await fakeRoom({ config: { services: {} } });
    const { incidentId, hash } = await incidentWithPlan(fake, askAboutWeb({ service: "db", symptom: "any" }));
    await run(fake, incidentId, hash);
    expect(await bodyOf(fake, incidentId, "verified")).toMatchObject({
      outcome: "recovered",
      probes: ["db is running, 0 restarts"],
    });
  });

  it("names what else changed on the host", async () => {
    const fake = await fakeRoom();
    const { incidentId, hash } = await incidentWithPlan(fake);
    const act = fake.host.act;
    fake.host.act = (action) => {
      Object.assign(fake.host.containers.get("cache") ?? {}, { status: "exited" });
      return act(action);
    };
    await run(fake, incidentId, hash);
    expect((await bodyOf(fake, incidentId, "verified"))?.changes).toEqual([
      "db: exited, now running",
      "cache: running, now exited",
    ]);
  });
});
