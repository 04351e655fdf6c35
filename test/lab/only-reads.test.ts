import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { breakShop } from "./faults.ts";
import { type IncidentRoom, openIncidentRoom } from "./incident-room.ts";
import { type Lab, startLab } from "./lab.ts";
import { run } from "./processes.ts";
import { stageWebAndDb } from "./stage.ts";

let lab: Lab;
let room: IncidentRoom | null = null;

beforeAll(async () => {
  lab = await startLab({ name: "only-reads", engine: "private" });
});
afterAll(async () => {
  await room?.stop();
  await lab?.stop();
});

/** What reading leaves in the engine's events: `docker top`, and an archive of a proxy's configuration. */
const reads = ["top", "archive-path"];

it("nothing is executed in a container, changed in one or written on the host while diagnosing", async () => {
  await stageWebAndDb(lab, { compose: true });
  await breakShop(lab, "oom-kill");
  const mark = join(lab.dir, "mark");
  room = await openIncidentRoom(lab);
  const before = await traces();
  writeFileSync(mark, "");
  const sinceMs = Date.now();
  for (const question of ["/why-500 web", "/why db"]) {
    const { report } = await room.ask(question);
    expect(report.rootCause).toMatchObject({ cause: "cgroup-oom-main", container: "db" });
  }
  const window = ["--since", String(sinceMs / 1000), "--until", String(Date.now() / 1000)];
  const events = await lab.docker("events", ...window, "--format", "{{.Type}} {{.Action}} {{.Actor.ID}}");
  const done = events.split("\n").filter((line) => line !== "" && !reads.includes(line.split(" ")[1] ?? ""));
  expect(done).toEqual([]);
  expect(await traces()).toEqual(before);
  // Where programs, settings and people's files lie. Logs and accounting of logins are sshd's own.
  expect(await run("find", ["/etc", "/home", "/opt", "/srv", "/usr", "-xdev", "-newer", mark])).toBe("");
});

/** Every file that differs from its image, and the moment each container last started. */
async function traces(): Promise<string[]> {
  const ids = (await lab.docker("ps", "--all", "--quiet", "--no-trunc")).trim().split("\n");
  const of = async (id: string) => {
    const state = await lab.docker("inspect", "--format", "{{.State.StartedAt}} {{.HostConfig.Memory}}", id);
    return [id, state, ...(await lab.docker("diff", id)).split("\n").toSorted()].join("\n");
  };
  return await Promise.all(ids.toSorted().map(of));
}
