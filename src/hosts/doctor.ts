import http from "node:http";
import type { HostConfig } from "../config/hosts.ts";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Clock, ReadCommand } from "../ports.ts";
import { createDockerAgent, createDockerSocket } from "./docker-socket.ts";
import { openActingLink } from "./perform.ts";
import { type OpenHost, openHost } from "./reader.ts";

export interface HostCheck {
  check:
    | "reachable"
    | "host key"
    | "login"
    | "socket forwarding"
    | "docker engine"
    | "kernel log"
    | "cgroup files"
    | "processes and disk"
    | "clock"
    | "acting credential"
    | "reading credential";
  ok: boolean;
  detail: string;
  /** The one command or setting that cures it. */
  fix: string | null;
  level: "ok" | "info" | "warning" | "error";
}

/** Looks at everything room137 needs of one host, over a connection of its own. Never throws for what it finds. */
export async function checkHost(config: HostConfig, clock: Clock): Promise<HostCheck[]> {
  const host = openHost(config, clock);
  try {
    const login = await checkLogin(host);
    if (login.some((check) => !check.ok)) return login;
    const engine = await checkEngine(host);
    const more = await Promise.all([
      checkKernelLog(host),
      checkCgroupFiles(host),
      checkCommands(host),
      checkClock(host, clock),
      checkActing(config, clock),
      checkReadOnly(host),
    ]);
    return [...login, ...engine, ...more];
  } finally {
    await host.close();
  }
}

async function checkLogin(host: OpenHost): Promise<HostCheck[]> {
  const { config } = host;
  if (config.local) return [good("reachable", "this machine")];
  try {
    const connectMs = await host.link.connect();
    return [
      good("reachable", `${config.address}:${config.port} in ${connectMs} ms`),
      good("host key", "is the expected one"),
      good("login", `as ${config.user}`),
    ];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const failed = (check: HostCheck["check"]) => bad(check, error.message, error.next);
    if (error.code === "host-unreachable") return [failed("reachable")];
    const reachable = good("reachable", `${config.address}:${config.port}`);
    if (error.code !== "login-refused") return [reachable, failed("host key")];
    return [reachable, failed("login")];
  }
}

async function checkEngine(host: OpenHost): Promise<HostCheck[]> {
  const answer = await host.reader.docker({ read: "version" });
  const way = host.way();
  const forwarding: HostCheck[] =
    host.config.local || way === null
      ? []
      : way === "direct"
        ? [good("socket forwarding", "sshd forwards the Docker socket")]
        : [
            note(
              "socket forwarding",
              "sshd does not forward the Docker socket, so `docker system dial-stdio` is used, which is slower",
              "set AllowStreamLocalForwarding to yes in sshd_config",
            ),
          ];
  if (!answer.ok) return [...forwarding, bad("docker engine", answer.reason, answer.fix)];
  if (answer.status !== 200) {
    return [
      ...forwarding,
      bad("docker engine", `GET /version is answered with ${answer.status}`, "allow GET in the socket proxy"),
    ];
  }
  const version = jsonOf(answer.body);
  return [
    ...forwarding,
    good(
      "docker engine",
      `version ${String(version?.["Version"])}, API ${String(version?.["ApiVersion"])}, at ${host.config.dockerSocket}`,
    ),
  ];
}

const kernelLogWays = ["dmesg", "journalctl", "sudo-dmesg", "sudo-journalctl"] as const;

async function checkKernelLog(host: OpenHost): Promise<HostCheck> {
  const wanted = host.config.kernelLog;
  if (wanted === "none") {
    return note("kernel log", "is switched off in the config: OOM kills have one witness less", "set kernelLog: auto");
  }
  const refusals: { reason: string; fix: string | null }[] = [];
  for (const via of wanted === "auto" ? kernelLogWays : [wanted]) {
    const output = await host.reader.run({ command: "kernel-log", via });
    if (output.ok && output.stdout.length > 0) return good("kernel log", `readable with ${via}`);
    refusals.push(
      output.ok
        ? { reason: `${via} printed nothing`, fix: null }
        : { reason: `${via}: ${output.reason}`, fix: output.fix },
    );
  }
  const fix = refusals.find((refusal) => refusal.fix !== null)?.fix ?? null;
  return {
    check: "kernel log",
    ok: false,
    detail: refusals.map(({ reason }) => reason).join("; "),
    fix,
    level: "warning",
  };
}

async function checkCgroupFiles(host: OpenHost): Promise<HostCheck> {
  const paths = ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/proc/1/cgroup"];
  const output = await host.reader.run({ command: "files", paths });
  if (!output.ok)
    return {
      ...bad("cgroup files", output.reason, output.fix),
      level: "warning",
    };
  const text = output.stdout.toString("latin1");
  if (text.includes("cgroup.controllers <==")) return good("cgroup files", "readable, version 2");
  if (text.includes("memory.usage_in_bytes <==")) return good("cgroup files", "readable, version 1");
  return note(
    "cgroup files",
    "no memory controller was found below /sys/fs/cgroup",
    "mount the cgroup file system there",
  );
}

async function checkCommands(host: OpenHost): Promise<HostCheck> {
  const commands: ReadCommand[] = [{ command: "processes" }, { command: "disk" }, { command: "inodes" }];
  const outputs = await Promise.all(commands.map((command) => host.reader.run(command)));
  const missing = outputs.flatMap((output) =>
    output.ok && output.stdout.length > 0 ? [] : [`${output.read}: ${output.ok ? "no output" : output.reason}`],
  );
  if (missing.length === 0) return good("processes and disk", "ps and df answer");
  return note("processes and disk", missing.join("; "), "sudo apt-get install procps coreutils");
}

async function checkClock(host: OpenHost, clock: Clock): Promise<HostCheck> {
  const askedMs = clock.nowMs();
  const output = await host.reader.run({ command: "clock" });
  const hostMs = output.ok ? Number.parseFloat(output.stdout.toString("latin1")) * 1_000 : Number.NaN;
  if (Number.isNaN(hostMs)) return note("clock", "the host's time could not be read", null);
  const offsetMs = Math.round(hostMs - (askedMs + clock.nowMs()) / 2);
  if (Math.abs(offsetMs) < limits.clockOffsetMs) return good("clock", `${offsetMs} ms from ours`);
  return note("clock", `${offsetMs} ms from ours; times are corrected by this`, "sudo timedatectl set-ntp true");
}

/** Connects with the acting credential and closes again; nothing is sent to the engine. */
async function checkActing(config: HostConfig, clock: Clock): Promise<HostCheck> {
  if (config.local) return good("acting credential", "this machine's own socket");
  if (config.remediateIdentityFile === null) {
    return {
      check: "acting credential",
      ok: true,
      detail: "none of its own: approved plans act with the reading key",
      fix: "set remediateIdentityFile, so that the reading key can be limited to reading",
      level: "info",
    };
  }
  const link = openActingLink(config, clock);
  try {
    await link.connect();
    return good("acting credential", `${link.user} can log in`);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return bad("acting credential", error.message, error.next);
  } finally {
    await link.close();
  }
}

/**
 * Asks the engine to unpause a container that cannot exist: an engine says 404, a read-only proxy refuses before that.
 * It is the only request of this file that is not a GET, and it has no effect wherever it arrives.
 */
async function checkReadOnly(host: OpenHost): Promise<HostCheck> {
  const agent = createDockerAgent(createDockerSocket(host.link, host.config.dockerSocket), {
    keepAlive: false,
    maxBytes: limits.dockerReplyBytes,
  });
  const status = await new Promise<number | null>((resolve) => {
    const path = `/containers/${"0".repeat(64)}/unpause`;
    const request = http.request({
      agent,
      method: "POST",
      path,
      headers: { Host: "docker" },
      signal: AbortSignal.timeout(limits.readTimeoutMs),
    });
    request.on("error", () => resolve(null));
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    request.end();
  });
  agent.destroy();
  if (status === null) return note("reading credential", "whether it can write is not known", null);
  if (status !== 404) return good("reading credential", `cannot write (${status})`);
  return {
    check: "reading credential",
    ok: true,
    detail: "could also write: whoever may open the Docker socket is root in effect",
    fix: "point dockerSocket at a read-only proxy (see manifests/host-setup)",
    level: "info",
  };
}

function jsonOf(body: Buffer): Record<string, unknown> | null {
  try {
    return JSON.parse(body.toString("utf8")) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function good(check: HostCheck["check"], detail: string): HostCheck {
  return { check, ok: true, detail, fix: null, level: "ok" };
}

function note(check: HostCheck["check"], detail: string, fix: string | null): HostCheck {
  return { check, ok: false, detail, fix, level: "warning" };
}

function bad(check: HostCheck["check"], detail: string, fix: string | null): HostCheck {
  return { check, ok: false, detail, fix, level: "error" };
}
