import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { approver, openIncidentRoom } from "./incident-room.ts";
import { type Lab, labUnavailable, startLab } from "./lab.ts";
import { eventually } from "./processes.ts";

const unavailable = labUnavailable();
let lab: Lab;

describe.skipIf(unavailable !== null)(`a restart loop${unavailable === null ? "" : `: ${unavailable}`}`, () => {
  beforeAll(async () => {
    lab = await startLab({ name: "replicas" });
  });
  afterAll(async () => await lab?.stop());

  it("of a command that comes to its end is ended by an approved policy, and called not recovered", async () => {
    await lab.run({ name: "job", args: ["--restart", "always"], command: ["sh", "-c", "echo all done"] });
    const count = async () => Number(await lab.docker("inspect", "--format", "{{.RestartCount}}", "job"));
    await eventually(async () => (await count()) >= 3, 30_000);
    const room = await openIncidentRoom(lab);
    const { incidentId, report } = await room.ask("/why job");
    expect(report.rootCause).toMatchObject({ cause: "completed-exit-0", container: "job" });
    expect(report.plan?.steps).toMatchObject([{ action: "update-restart-policy", restartPolicy: "on-failure" }]);
    await room.click("plan_approve", approver);
    const state = async () => replay(await room.entries(incidentId))?.state ?? "";
    await eventually(
      async () => ["not-recovered", "recovered", "unverified", "stopped"].includes(await state()),
      120_000,
    );
    expect(await state()).toBe("not-recovered");
    const verified = (await room.entries(incidentId)).find((entry) => entry.body.kind === "verified")?.body;
    expect(verified).toMatchObject({
      probes: expect.arrayContaining([
        expect.stringMatching(/^job is exited, \d+ restarts; nothing starts it again by itself$/),
      ]),
    });
    const seen = await lab.docker("inspect", "--format", "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}", "job");
    expect(seen).toBe("exited on-failure\n");
    await room.stop();
  }, 180_000);
});
