import type { HostConfig } from "../config/hosts.ts";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Clock, HostReader, RawOutput, ReadCommand } from "../ports.ts";
import { commandForm } from "./commands.ts";
import { createDockerReader, dockerPath } from "./docker.ts";
import { type ExecResult, type Failure, failure, type HostLink } from "./link.ts";
import { createLocalLink } from "./local.ts";
import { probeFrom } from "./probe.ts";
import { createSshLink } from "./ssh.ts";

export interface OpenHost {
  config: HostConfig;
  link: HostLink;
  reader: HostReader;
  way(): string | null;
  connectMs: number;
  close(): Promise<void>;
}

/** The reading side of one host. Connects on first use. */
export function openHost(config: HostConfig, clock: Clock): OpenHost {
  const link = config.local
    ? createLocalLink(config.name)
    : createSshLink({ target: { ...config, host: config.name }, clock });
  const docker = createDockerReader(link, config.dockerSocket);
  return {
    config,
    link,
    way: docker.way,
    connectMs: 0,
    reader: createReader(config, link, docker, clock),
    async close() {
      docker.close();
      await link.close();
    },
  };
}

function createReader(
  config: HostConfig,
  link: HostLink,
  docker: ReturnType<typeof createDockerReader>,
  clock: Clock,
): HostReader {
  let kernelLog = config.kernelLog;
  const timed = async <T extends { ok: true }>(read: string, work: () => Promise<T | Failure>) => {
    const startMs = clock.nowMs();
    const { lost: _, ...result } = {
      lost: false,
      ...(await withoutFault(work)),
    };
    return { ...result, read, tookMs: clock.nowMs() - startMs } as (T | Omit<Failure, "lost">) & {
      read: string;
      tookMs: number;
    };
  };
  return {
    host: config.name,
    get kernelLog() {
      return kernelLog;
    },
    docker: (read, signal) => timed(`GET ${dockerPath(read) ?? "(refused)"}`, () => docker.read(read, signal)),
    async run(command, signal) {
      const { argvs, maxBytes } = commandForm(command);
      const output: RawOutput = await timed(readName(command, argvs[0] as string[]), () =>
        runForm(link, command, argvs, maxBytes, signal),
      );
      if (command.command === "kernel-log" && config.kernelLog === "auto") kernelLog = output.ok ? command.via : "auto";
      return output;
    },
    async probe(request, signal) {
      const startMs = clock.nowMs();
      const outcome = await probeFrom(link, request, signal).catch((error) => ({
        unavailable: faultFailure(error),
      }));
      return {
        read: `${request.probe} ${request.address}:${request.port}${request.probe === "http" ? request.path : ""}`,
        failure: null,
        detail: "",
        httpStatus: null,
        headers: {},
        body: Buffer.alloc(0),
        certificate: null,
        unavailable: null,
        ...outcome,
        tookMs: clock.nowMs() - startMs,
      };
    },
    followEvents: (sinceMs, onEvent, signal) => docker.follow(sinceMs, onEvent, signal),
  };
}

/** What is cited: the command as a person would type it, without the environment around it. */
function readName(command: ReadCommand, argv: string[]): string {
  if (command.command !== "files") return argv.filter((word) => !/^(env|LC_ALL=C|TZ=UTC)$/.test(word)).join(" ");
  const [first, ...more] = command.paths;
  return more.length === 0 ? `head ${first}` : `head ${first} and ${more.length} more`;
}

async function withoutFault<T extends { ok: true }>(work: () => Promise<T | Failure>): Promise<T | Failure> {
  try {
    return await work();
  } catch (error) {
    const { code, reason, fix } = faultFailure(error);
    return failure(code, reason, fix);
  }
}

function faultFailure(error: unknown): {
  code: Failure["code"];
  reason: string;
  fix: string | null;
} {
  if (!(error instanceof Fault) || error.code === "internal") throw error;
  const denied = error.code === "login-refused" || error.code.startsWith("host-key");
  return {
    code: denied ? "permission-denied" : "unreachable",
    reason: error.message,
    fix: error.next,
  };
}

async function runForm(
  link: HostLink,
  command: ReadCommand,
  argvs: string[][],
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<ExecResult> {
  let result: ExecResult = failure("unsupported", "no such command");
  for (const argv of argvs) {
    const options = { maxBytes, timeoutMs: limits.commandTimeoutMs, signal };
    result = await link.exec(argv, options);
    if (!result.ok && result.lost && !signal?.aborted) result = await link.exec(argv, options);
    if (!result.ok || !unknownOption(result)) break;
  }
  return result.ok ? judged(link, command, result) : result;
}

function unknownOption(result: Extract<ExecResult, { ok: true }>): boolean {
  return (
    result.exitCode !== 0 &&
    /(unrecognized|invalid|unknown|bad) (option|-o)|not recognized/i.test(result.stderr.toString("latin1"))
  );
}

/** Turns the ways a command says "you may not" into a failure that names its cure; anything else is the host's answer. */
function judged(link: HostLink, command: ReadCommand, result: Extract<ExecResult, { ok: true }>): ExecResult {
  const said = result.stderr.toString("utf8").trim();
  if (result.exitCode === 127) {
    return failure(
      "unsupported",
      `the command is not installed on ${link.host}${said ? `: ${said.slice(0, 200)}` : ""}`,
    );
  }
  if (command.command !== "kernel-log") return result;
  const fix = kernelLogFix(command.via, link.user);
  if (result.exitCode !== 0) {
    const denied = /not permitted|permission denied|password is required|not allowed|may not run|sudoers/i.test(said);
    return failure(
      denied ? "permission-denied" : "failed",
      said.slice(0, 300) || `exit code ${result.exitCode}`,
      denied ? fix : null,
    );
  }
  // Without the right, journalctl exits 0 and prints a hint and no lines: that is no proof of an empty log.
  if (
    /not seeing messages from other users|no journal files were (found|opened)|permission/i.test(said) &&
    kernelLines(result.stdout) === 0
  ) {
    return failure("permission-denied", said.slice(0, 300), fix);
  }
  return result;
}

function kernelLines(stdout: Buffer): number {
  return stdout
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("-- ")).length;
}

function kernelLogFix(via: string, user: string): string {
  switch (via) {
    case "journalctl":
      return `sudo usermod -aG systemd-journal ${user}`;
    case "sudo-journalctl":
      return `allow ${user} exactly this command in sudoers: journalctl -k -o short-unix --no-pager -n ${limits.journalLines}`;
    case "sudo-dmesg":
      return `echo '${user} ALL=(root) NOPASSWD: /usr/bin/dmesg ""' | sudo tee /etc/sudoers.d/room137`;
    default:
      return `sudo usermod -aG systemd-journal ${user}, or allow sudo dmesg (kernel.dmesg_restrict is 1)`;
  }
}
