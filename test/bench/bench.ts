import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { dirname, join } from "node:path";
import Docker from "dockerode";
import type { SshHostConfig } from "../../src/config.ts";
import type { Question } from "../../src/core/next-reads.ts";
import type { ContainerSummary } from "../../src/core/readings.ts";
import type { PlannedRead } from "../../src/core/reads.ts";
import { createHostDirectory } from "../../src/hosts/directory.ts";
import type { HostDirectory } from "../../src/ports.ts";
import { type ExecuteReads, investigate } from "../../src/room/investigate.ts";
import { executeReads } from "../../src/sources/gather.ts";
import { createRedactor } from "../../src/sources/redact.ts";
import { oomKillDb } from "../lab/faults.ts";
import { openIncidentRoom } from "../lab/incident-room.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import type { SshLogin } from "../lab/sshd.ts";
import { stageWebAndDb } from "../lab/stage.ts";
import { type Figure, figure, ratio, table, timed } from "./figures.ts";
import { acks, typedToRootCause } from "./room-bench.ts";
import { slackFigures } from "./slack-bench.ts";

/**
 * `npm run bench`: how long room137 takes on the lab, against what a person does today with OpenSSH and the docker CLI.
 * One machine, one run, medians after warm-up, told as ratios; nothing is asserted. It takes about ten minutes.
 */
const containers = 30;
const host = "prod-1";
const inspected = 10;
const clock = { nowMs: () => Date.now() };

const lab = await startLab({ name: "bench", engine: "private", log: (line) => console.error(line) });
try {
  await stageWebAndDb(lab, { compose: true });
  for (let n = 2; n < containers; n += 1) await lab.run({ name: `filler-${n}`, command: ["sleep", "infinity"] });
  await oomKillDb(lab);
  await measure(lab);
} finally {
  await lab.stop();
}
console.log("\nSlack renews or cuts the connections, and 10,000 messages come in\n");
await slackFigures();
console.log("\nKernel log of 10 MB\n");
await import("./kernel-log-bench.ts");
process.exit(0);

async function measure(on: Lab): Promise<void> {
  console.log(
    `${availableParallelism()} cores, load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}, Node ${process.version}\n`,
  );
  const person = await timed("as a person", () => asPerson(on));
  const kept = openHosts(on);
  const reads = await evidenceOf(kept);
  const keptAll = await timed("evidence, connection kept", () => read(kept, reads));
  const keptWhole = await timed("an investigation, connection kept", () => whole(kept));
  await kept.close();
  const login = await timed("login alone, from cold", () => cold(on, (hosts) => hosts.reader(host)));
  const coldAll = await timed("evidence, from cold", () => cold(on, (hosts) => read(hosts, reads)));
  const coldWhole = await timed("an investigation, from cold", () => cold(on, whole));
  const [ours, theirs] = await dockerReads(on);
  const room = await openIncidentRoom(on);
  const typed = await typedToRootCause(room);
  const acked = await acks(room);
  await room.stop();
  const rows: Figure[] = [
    figure("a person: inspect, dmesg, stats over ssh in sequence", person, null, null),
    figure(
      `(a) evidence of all ${containers} containers, connection kept`,
      keptAll,
      ratio(person, keptAll),
      "30 x faster",
    ),
    figure("    a whole investigation, connection kept", keptWhole, ratio(person, keptWhole), null),
    figure(`(b) evidence of all ${containers} containers, from cold`, coldAll, ratio(person, coldAll), "5 x faster"),
    figure("    of that: TCP, key exchange and login alone", login, null, null),
    figure("    a whole investigation, from cold", coldWhole, ratio(person, coldWhole), null),
    figure(`(c) ${inspected} inspects one by one, ours`, ours, null, null),
    figure(`    the same by dockerode's ssh`, theirs, ratio(theirs, ours), "20 x slower"),
    figure("(d) /why-500 web typed to root cause in the thread", typed, null, "p95 1500 ms"),
    ...acked.map(({ at, tookMs }) => figure(`    ack with ${at} investigations at once`, tookMs, null, "p99 100 ms")),
  ];
  console.log(`\n${table(rows)}`);
}

/** What a person types today; each command is a login of its own. */
async function asPerson(on: Lab): Promise<void> {
  const docker = `docker -H unix://${on.dockerSocket}`;
  for (const command of [`${docker} inspect db`, 'dmesg | grep -i "killed process"', `${docker} stats --no-stream`])
    await openSsh(on.ssh, command);
}

function openSsh(login: SshLogin, command: string): Promise<void> {
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
  const args = [...options.flatMap((option) => ["-o", option]), "-p", String(login.port), "-i", login.identityFile];
  return new Promise((resolve, reject) => {
    execFile("ssh", [...args, `${login.user}@${login.host}`, command], { maxBuffer: 2 ** 26 }, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function openHosts(on: Lab): HostDirectory {
  const { host: address, port, user, identityFile, hostKey } = on.ssh;
  const config: SshHostConfig = {
    name: host,
    local: false,
    address,
    alias: null,
    port,
    user,
    identityFile,
    agentSocket: null,
    remediateIdentityFile: null,
    remediateUser: null,
    hostKey,
    knownHostsFile: null,
    dockerSocket: on.dockerSocket,
    remediateDockerSocket: null,
    kernelLog: "auto",
    labels: {},
  };
  return createHostDirectory({ hosts: [config], clock });
}

/** What the three commands tell, and of every container instead of one: settings, state, memory and the kernel log. */
async function evidenceOf(hosts: HostDirectory): Promise<PlannedRead[]> {
  const [list] = await read(hosts, [{ host, source: "docker-list", containerId: null, args: null }]);
  const found = list?.outcome.status === "ok" ? (list.outcome.value as ContainerSummary[]) : [];
  if (found.length !== containers) throw new Error(`${found.length} containers are there, not ${containers}`);
  const inspects = found.map(
    ({ id }): PlannedRead => ({ host, source: "docker-inspect", containerId: id, args: null }),
  );
  const inspected = await read(hosts, inspects);
  const running = inspected.flatMap(({ containerId, outcome }) => {
    if (outcome.status !== "ok" || containerId === null) return [];
    const { pid, cgroupParent } = outcome.value as { pid: number | null; cgroupParent: string };
    return pid === null ? [] : [{ containerId, pid, cgroupParent }];
  });
  return [
    ...inspects,
    { host, source: "kernel-log", containerId: null, args: { bootAtMs: null } },
    { host, source: "cgroup", containerId: null, args: { version: null, driver: null, containers: running } },
    { host, source: "host-facts", containerId: null, args: null },
  ];
}

async function read(hosts: HostDirectory, reads: PlannedRead[]) {
  const readings = await executeReads(reads, hosts, { clock, redactor: createRedactor({ patterns: [] }) });
  const failed = readings.filter(({ outcome }) => outcome.status === "failed");
  if (failed.length > 0) throw new Error(`${failed.length} reads failed: ${JSON.stringify(failed[0])}`);
  return readings;
}

/** Everything that `/why-500 web` reads and concludes, without the room. */
async function whole(hosts: HostDirectory): Promise<void> {
  const redactor = createRedactor({ patterns: [] });
  const execute: ExecuteReads = (reads) => executeReads(reads, hosts, { clock, redactor });
  const question: Question = {
    target: { service: "web", symptom: "http-500", host: null },
    hosts: [host],
    settings: { hosts: [{ name: host, address: "127.0.0.1" }], services: [] },
    nowMs: clock.nowMs(),
  };
  const { conclusion } = await investigate({ hosts, clock, executeReads: execute }, question);
  const cause = conclusion.diagnosis.rootCause?.cause;
  if (cause !== "cgroup-oom-main") throw new Error(`the bench's incident was taken for ${cause ?? "nothing"}`);
}

/** TCP, key exchange, login and the reads; closing is not counted as anybody's waiting, but it is in the time. */
async function cold(on: Lab, use: (hosts: HostDirectory) => Promise<unknown>): Promise<void> {
  const hosts = openHosts(on);
  await use(hosts);
  await hosts.close();
}

/** The same inspects, one after the other, over our kept connection and by dockerode's own ssh protocol. */
async function dockerReads(on: Lab): Promise<[number[], number[]]> {
  const ids = (await on.docker("ps", "--all", "--quiet", "--no-trunc")).trim().split("\n").slice(0, inspected);
  const hosts = openHosts(on);
  const reader = await hosts.reader(host);
  const ours = await timed("inspects, ours", async () => {
    for (const id of ids) if (!(await reader.docker({ read: "inspect", id })).ok) throw new Error("an inspect failed");
  });
  await hosts.close();
  const login = await on.startSshd({});
  // Dockerode's ssh starts `docker system dial-stdio` and knows no socket path, so the login brings the lab's.
  const keys = join(dirname(login.identityFile), "authorized_keys");
  const dial = `DOCKER_HOST=unix://${on.dockerSocket} exec docker system dial-stdio`;
  writeFileSync(keys, `command="${dial}" ${readFileSync(keys, "utf8")}`);
  const docker = new Docker({
    protocol: "ssh",
    host: login.host,
    port: login.port,
    username: login.user,
    sshOptions: { privateKey: readFileSync(login.identityFile, "utf8") },
  } as Docker.DockerOptions);
  const theirs = await timed(
    "inspects, dockerode's ssh",
    async () => {
      for (const id of ids) await docker.getContainer(id).inspect();
    },
    { warmUps: 1, runs: 15 },
  );
  return [ours, theirs];
}
