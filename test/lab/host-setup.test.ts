import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, type SshHostConfig } from "../../src/config.ts";
import type { HostAction } from "../../src/core/actions.ts";
import type { ApprovedPlan } from "../../src/core/approve.ts";
import { limits } from "../../src/core/limits.ts";
import type { DiagnosisReport } from "../../src/core/report.ts";
import { createHostDirectory } from "../../src/hosts/directory.ts";
import { createDockerAgent, createDockerSocket } from "../../src/hosts/docker-socket.ts";
import type { HostLink } from "../../src/hosts/link.ts";
import { createHostPerformer } from "../../src/hosts/perform.ts";
import { createSshLink } from "../../src/hosts/ssh.ts";
import { assembleParts, assembleRoom, systemClock as clock } from "../../src/program.ts";
import { openStore } from "../../src/store/store.ts";
import { ensurePrograms, programPath } from "./apt.ts";
import { dockerTricks, dockerWrites } from "./docker-writes.ts";
import { oomKillDb } from "./faults.ts";
import { LAB_IMAGE } from "./images.ts";
import { type Lab, startLab } from "./lab.ts";
import { attempt, eventually, isAlive, type ProcessId, run, startDaemon, terminate } from "./processes.ts";
import { stageWebAndDb } from "./stage.ts";

const setup = join(import.meta.dirname, "../../manifests/host-setup/setup.sh");
const users = { read: "r137h-read", act: "r137h-act", filter: "r137h-filter" };
const daemons: ProcessId[] = [];

let lab: Lab;
let env: Record<string, string>;
let config: SshHostConfig;
let reading: HostLink;
let ids: { container: string; network: string };

beforeAll(async () => {
  lab = await startLab({ name: "host-setup", engine: "private" });
  await ensurePrograms({ haproxy: "haproxy", sudo: "sudo", visudo: "sudo", setpriv: "util-linux" }, () => {});
  env = {
    ROOM137_READ_USER: users.read,
    ROOM137_ACT_USER: users.act,
    ROOM137_FILTER_USER: users.filter,
    ROOM137_DOCKER_SOCKET: lab.dockerSocket,
    ROOM137_CONFIG_DIR: join(lab.dir, "etc"),
    ROOM137_LIB_DIR: join(lab.dir, "lib"),
    ROOM137_HOME_DIR: join(lab.dir, "homes"),
    ROOM137_RUN_DIR: join(lab.dir, "filter"),
    ROOM137_READ_GROUP: users.read,
    ROOM137_ACT_GROUP: users.act,
  };
  for (const key of ["read", "act", "host"])
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(lab.dir, key)]);
  const keys = ["--read-key", join(lab.dir, "read.pub"), "--act-key", join(lab.dir, "act.pub")];
  await run("sh", [setup, "install", ...keys], { env });
  // Again, as after a change: the second run finds everything there.
  await run("sh", [setup, "install", ...keys], { env });
  await startFilter();
  config = hostConfig(await startHostSshd());
  await stageWebAndDb(lab, { compose: true });
  await oomKillDb(lab);
  ids = {
    container: (await lab.docker("inspect", "--format", "{{.Id}}", "web")).trim(),
    network: (await lab.docker("network", "inspect", "--format", "{{.Id}}", "app")).trim(),
  };
  reading = createSshLink({ target: { ...config, host: config.name }, clock });
});

afterAll(async () => {
  await reading?.close();
  await terminate(daemons);
  if (env !== undefined) await attempt("sh", [setup, "remove"], { env });
  await lab?.stop();
});

describe("the prepared host", () => {
  it("lets the founding incident be found with the reading credential alone", async () => {
    const report = await answer();
    expect(report.rootCause).toMatchObject({ cause: "cgroup-oom-main", container: "db", confidence: "confirmed" });
    const sources = new Set(report.evidence.map((item) => item.source));
    expect([...sources]).toEqual(expect.arrayContaining(["docker-inspect", "kernel-log", "docker-logs"]));
    expect(report.plan?.steps.map((step) => step.action)).toEqual(["update-memory", "start"]);
  });

  it("passes the host check, which sees that the reading credential cannot write", async () => {
    const directory = createHostDirectory({ hosts: [config], clock });
    const checks = await directory.check(config.name);
    await directory.close();
    expect(checks.filter(({ level }) => level === "error" || level === "warning")).toEqual([]);
    expect(checks.find(({ check }) => check === "reading credential")?.detail).toBe("cannot write (403)");
    expect(checks.find(({ check }) => check === "kernel log")?.detail).toBe("readable with sudo-dmesg");
  });

  it("refuses the reading credential every request of the Docker API that writes", async () => {
    const before = await everything();
    const table: { request: string; status: number | null }[] = [];
    for (const request of dockerWrites)
      table.push({ request, status: await statusOf(reading, config.dockerSocket, request, {}, bodyOf(request)) });
    for (const { request, headers, body } of dockerTricks)
      table.push({
        request,
        status: await statusOf(reading, config.dockerSocket, request, headers ?? {}, body ?? null),
      });
    console.log(table.map(({ request, status }) => `${String(status).padEnd(6)}${request}`).join("\n"));
    // What is no HTTP at all is refused as such: 400.
    expect(table.filter(({ status }) => status !== 403 && status !== 400)).toEqual([]);
    expect(table.filter(({ request, status }) => status === 400 && !request.startsWith("CONNECT"))).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  it("hands out a proxy's configuration, and no other file of a container", async () => {
    const of = (path: string) =>
      statusOf(reading, config.dockerSocket, `GET /containers/{c}/archive?path=${path}`, {}, null);
    expect(await Promise.all(["/etc/nginx/nginx.conf", "/etc/caddy/Caddyfile", "/etc/passwd"].map(of))).toEqual([
      200, 404, 403,
    ]);
  });

  it("refuses a second request that hides behind a first one", async () => {
    const hidden = "POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Length: 2\r\n\r\n{}";
    const headers = `Host: docker\r\nContent-Length: ${hidden.length}\r\nTransfer-Encoding: chunked\r\n`;
    const answers = await raw(`GET /info HTTP/1.1\r\n${headers}\r\n0\r\n\r\n${hidden}`);
    expect(answers.every((status) => status === 400 || status === 403)).toBe(true);
    const piped = await raw(`GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n${hidden}`);
    expect(piped).toEqual([200, 403]);
  });

  it("gives the reading credential no other way in", async () => {
    for (const path of [lab.dockerSocket, join(lab.dir, "filter/docker-act.sock")])
      expect(await reading.dialUnix(path, 5_000), path).toMatchObject({ ok: false });
    const refused = [
      "exec sh",
      "id",
      "env LC_ALL=C TZ=UTC dmesg --clear",
      "env LC_ALL=C TZ=UTC sudo -n dmesg -C",
      "env LC_ALL=C TZ=UTC sudo -n sh",
      "head -v -c 65536 -- /etc/shadow",
      "head -v -c 65536 -- /proc/self/environ",
      "head -v -c 65536 -- /proc/uptime; id",
      "head -v -c 65536 -- /proc/uptime $(id)",
      "head -v -c 65536 -- /proc/uptime\nid",
      "head -v -c 65536 -- /sys/kernel/../../etc/passwd",
      "env LC_ALL=C TZ=UTC ls -l /proc/1/../fd",
      "docker --host unix:///var/run/docker.sock ps",
    ];
    for (const line of refused)
      expect(await sshAs("read", users.read, line), line).toMatchObject({ code: 126, stdout: "" });
    const sudo = await attempt(programPath("setpriv") ?? "setpriv", asUser(users.read, ["sudo", "-n", "-l"]));
    expect(
      sudo.stdout
        .replaceAll(/\s+/g, " ")
        .trim()
        .match(/NOPASSWD: .*/)?.[0],
    ).toMatch(/^NOPASSWD: \S+\/dmesg "", \S+\/journalctl -k -o short-unix --no-pager -n 20000$/);
    expect((await attempt("setpriv", asUser(users.read, ["sudo", "-n", "dmesg", "-C"]))).code).not.toBe(0);
  });

  it("lets the acting credential do the seven actions, and nothing else", async () => {
    const target = { host: config.name, container: "web", containerId: ids.container };
    const networkId = (await lab.docker("network", "create", "--label", "room137.lab=host-setup", "other")).trim();
    const actions: HostAction[] = [
      { ...target, action: "update-memory", memoryBytes: 2 ** 28, memorySwapBytes: 2 ** 28 },
      { ...target, action: "update-pids-limit", pidsLimit: 300 },
      { ...target, action: "update-restart-policy", restartPolicy: "on-failure", maximumRetryCount: 3 },
      { ...target, action: "restart", graceSeconds: 1 },
      { ...target, action: "start" },
      { ...target, action: "unpause" },
      { ...target, action: "connect-network", networkId, networkName: "other", aliases: ["web"] },
    ];
    const perform = createHostPerformer({ hostConfig: () => config, clock });
    const plan = { incidentId: "i", hash: "h", approvers: [], actions } as unknown as ApprovedPlan;
    for (const [step, { action }] of actions.entries()) {
      if (action === "unpause") await lab.docker("pause", "web");
      expect((await perform.perform(plan, step)).readBack, action).toContain("State.Status=running");
    }
    const acting = createSshLink({
      target: { ...config, host: config.name, user: users.act, identityFile: join(lab.dir, "act") },
      clock,
    });
    const socket = config.remediateDockerSocket ?? "";
    const allowed = /^POST \/(containers\/\{c\}\/(start|restart|update|unpause)|networks\/\{n\}\/connect)$/;
    const tried = [...dockerWrites.filter((request) => !allowed.test(request)), ...dockerTricks.map((t) => t.request)];
    const passed: string[] = [];
    for (const request of tried)
      if (![400, 403].includes((await statusOf(acting, socket, request, {}, bodyOf(request))) ?? 0))
        passed.push(request);
    await acting.close();
    // A host part of the tricks are readings, which the acting socket answers only for one container's state.
    expect(passed).toEqual([]);
    expect((await sshAs("act", users.act, "id")).stdout).not.toContain("uid=");
  });

  it("leaves nothing behind when it is undone", async () => {
    await reading.close();
    await terminate(daemons.splice(0));
    // sshd takes a moment to end the last session, and until then the user is in use.
    const removed = async () => (await attempt("sh", [setup, "remove"], { env })).code === 0;
    expect(await eventually(removed, 10_000)).toBe(true);
    for (const user of Object.values(users)) {
      expect((await attempt("getent", ["passwd", user])).code).toBe(2);
      expect((await attempt("getent", ["group", user])).code).toBe(2);
    }
    expect((await attempt("ls", [`/etc/sudoers.d/${users.read}`])).code).not.toBe(0);
    await run("sh", [setup, "remove"], { env });
  });
});

/** As the unit file does: its own user, with the groups that may open the sockets. */
async function startFilter(): Promise<void> {
  const runDir = env["ROOM137_RUN_DIR"] as string;
  mkdirSync(runDir);
  chownSync(runDir, Number(await run("id", ["-u", users.filter])), Number(await run("id", ["-g", users.filter])));
  chmodSync(runDir, 0o755);
  const gids = await Promise.all([users.read, users.act].map((user) => run("id", ["-g", user])));
  const groups = [String(statSync(lab.dockerSocket).gid), ...gids.map((gid) => gid.trim())].join(",");
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const haproxy = [
    programPath("haproxy") ?? "haproxy",
    "-db",
    "-f",
    join(env["ROOM137_CONFIG_DIR"] ?? "", "docker-filter.cfg"),
  ];
  const args = [
    ...variables,
    ...["setpriv", "--reuid", users.filter, "--regid", users.filter, "--groups", groups],
    ...haproxy,
  ];
  const log = join(lab.dir, "haproxy.log");
  const filter = startDaemon("haproxy", "/usr/bin/env", args, log);
  daemons.push(filter);
  const up = () => attempt("test", ["-S", join(runDir, "docker-act.sock")]).then(({ code }) => code === 0);
  if (!(await eventually(up, 10_000)) || !isAlive(filter)) throw new Error(readFileSync(log, "utf8"));
}

/** A sshd that looks for keys where Debian's does, with its checks of who owns what. */
async function startHostSshd(): Promise<number> {
  const port = 20_000 + (process.pid % 20_000);
  const lines = [
    "ListenAddress 127.0.0.1",
    `Port ${port}`,
    `HostKey ${join(lab.dir, "host")}`,
    `PidFile ${join(lab.dir, "host-sshd.pid")}`,
    `AllowUsers ${users.read} ${users.act}`,
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "StrictModes yes",
    "UsePAM no",
    "UseDNS no",
  ];
  const file = join(lab.dir, "host-sshd_config");
  writeFileSync(file, `${lines.join("\n")}\n`);
  const log = join(lab.dir, "host-sshd.log");
  const sshd = startDaemon("sshd", programPath("sshd") ?? "/usr/sbin/sshd", ["-D", "-e", "-f", file], log);
  daemons.push(sshd);
  const up = async () => (await attempt("ssh-keyscan", ["-p", String(port), "127.0.0.1"])).stdout !== "";
  if (!(await eventually(up, 10_000))) throw new Error(readFileSync(log, "utf8"));
  return port;
}

function hostConfig(port: number): SshHostConfig {
  return {
    name: "prod-1",
    local: false,
    address: "127.0.0.1",
    alias: null,
    port,
    user: users.read,
    identityFile: join(lab.dir, "read"),
    agentSocket: null,
    remediateIdentityFile: join(lab.dir, "act"),
    remediateUser: users.act,
    hostKey: readFileSync(join(lab.dir, "host.pub"), "utf8").split(" ").slice(0, 2).join(" "),
    knownHostsFile: null,
    dockerSocket: join(lab.dir, "filter/docker-read.sock"),
    remediateDockerSocket: join(lab.dir, "filter/docker-act.sock"),
    kernelLog: "auto",
    labels: {},
  };
}

async function answer(): Promise<DiagnosisReport> {
  const world = { env: {}, readFile: () => null };
  const parts = assembleParts({ ...loadConfig(world), hosts: [config] });
  const quiet = { info() {}, warn() {}, error() {}, count() {} };
  const store = await openStore("file::memory:", { clock });
  const room = assembleRoom(parts, { store, world, log: quiet, metrics: quiet, version: "lab" });
  const by = { userId: null };
  const request = { service: "web", symptom: "http-500" as const, host: null, by, place: null, command: "why-500 web" };
  const report = await room.answer(request);
  await parts.hosts.close();
  await store.close();
  return report;
}

/** Status of one request over the SSH link; null when the connection was closed without an answer. */
function statusOf(
  link: HostLink,
  socket: string,
  request: string,
  headers: Record<string, string>,
  body: string | null,
): Promise<number | null> {
  const [method = "", path = ""] = filled(request).split(" ");
  const agent = createDockerAgent(createDockerSocket(link, socket), {
    keepAlive: false,
    maxBytes: limits.dockerReplyBytes,
  });
  return new Promise<number | null>((resolve) => {
    const length = body === null ? {} : { "Content-Length": String(body.length) };
    const sent = http.request({ agent, method, path, headers: { Host: "docker", ...length, ...headers } });
    sent.on("response", (response) => {
      response.destroy();
      resolve(response.statusCode ?? null);
    });
    sent.on("upgrade", (response, stream) => {
      stream.destroy();
      resolve(response.statusCode ?? null);
    });
    sent.on("connect", (response) => resolve(response.statusCode ?? null));
    sent.on("error", () => resolve(null));
    sent.setTimeout(10_000, () => sent.destroy());
    sent.end(body ?? undefined);
  }).finally(() => agent.destroy());
}

function bodyOf(request: string): string | null {
  return /^(GET|HEAD) /.test(request) ? null : "{}";
}

function filled(request: string): string {
  const names: Record<string, string> = { c: ids.container, n: ids.network, i: LAB_IMAGE, v: "db-data" };
  return request.replaceAll(/\{([cniv])\}/g, (_, name: string) => names[name] ?? "");
}

/** The statuses of all answers to bytes sent as they are. */
async function raw(bytes: string): Promise<number[]> {
  const dialled = await reading.dialUnix(config.dockerSocket, 5_000);
  if (!dialled.ok) throw new Error(dialled.detail);
  let text = "";
  dialled.stream.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  dialled.stream.write(bytes);
  await eventually(() => (text.match(/HTTP\/1\.[01] /g) ?? []).length >= 2 || dialled.stream.destroyed, 2_000);
  dialled.stream.destroy();
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map((match) => Number(match[1]));
}

/** One line as the client's exec request carries it. */
function sshAs(key: string, user: string, line: string) {
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
  const args = [...options.flatMap((option) => ["-o", option]), "-p", String(config.port), "-i", join(lab.dir, key)];
  return attempt("ssh", [...args, `${user}@127.0.0.1`, line]);
}

function asUser(user: string, command: string[]): string[] {
  return ["--reuid", user, "--regid", user, "--clear-groups", "--", ...command];
}

/** What a write would change. */
/** In one order: the engine lists images of one second in any. */
async function everything(): Promise<string[]> {
  const lists = [
    ["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}"],
    ["image", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Repository}}"],
    ["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"],
    ["volume", "ls", "--format", "{{.Name}}"],
    ["inspect", "--format", "{{.State.StartedAt}} {{.HostConfig.Memory}} {{.RestartCount}}", "web", "db"],
  ];
  const printed = await Promise.all(lists.map((args) => lab.docker(...args)));
  return printed.flatMap((list) => list.trim().split("\n").toSorted());
}
