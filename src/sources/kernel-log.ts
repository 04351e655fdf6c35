import { limits } from "../core/limits.ts";
import type { HostReader, ReadCommand } from "../ports.ts";
import { keyValues, readFiles } from "./files.ts";
import { parseKernelLog } from "./kernel-log/parse.ts";
import {
  type EvidenceSource,
  type Failure,
  outputFailure,
  parsedFrom,
  type ReadContext,
  toReading,
} from "./reading.ts";

type Way = Extract<ReadCommand, { command: "kernel-log" }>["via"];
type Tried = { read: string; text: string } | { read: string; failure: Failure };

/**
 * The kernel's own log. An answer without a single line is a failure, because without rights `journalctl` prints none
 * and still exits with 0, and no line would read as "nothing was killed".
 */
export const kernelLog: EvidenceSource<"kernel-log"> = {
  name: "kernel-log",
  async read(reader, planned, context) {
    const [tried, bootAtMs] = await Promise.all([
      tryWays(reader, context),
      planned.args.bootAtMs === null ? readBootTime(reader, context) : planned.args.bootAtMs,
    ]);
    const about = { source: planned.source, host: planned.host, containerId: null, read: tried.read };
    if ("failure" in tried) return toReading(about, { status: "failed", ...tried.failure }, context);
    const nowMs = context.clock.nowMs();
    const masked = context.redactor.text(tried.text);
    return toReading(
      about,
      parsedFrom<"kernel-log", string>(masked, (text) =>
        parseKernelLog(text, { bootAtMs, nowMs, timeZoneOffsetMinutes: 0 }),
      ),
      context,
    );
  },
};

const ways: readonly Way[] = ["dmesg", "sudo-dmesg", "journalctl", "sudo-journalctl"];

async function tryWays(reader: HostReader, context: ReadContext): Promise<Tried> {
  if (reader.kernelLog === "none") {
    const fix = "set kernelLog to auto for this host";
    return { read: "kernel log", failure: { code: "unsupported", reason: "the config says not to read it", fix } };
  }
  let first: (Tried & { failure: Failure }) | null = null;
  for (const via of reader.kernelLog === "auto" ? ways : [reader.kernelLog]) {
    const tried = await tryWay(reader, via, context);
    if (!("failure" in tried)) return tried;
    first ??= tried;
    // The host itself does not answer: the other ways would only wait as long again.
    if (tried.failure.code === "unreachable" || tried.failure.code === "timeout") return tried;
  }
  return first ?? { read: "kernel log", failure: { code: "unsupported", reason: "no way to read it", fix: null } };
}

async function tryWay(reader: HostReader, via: Way, context: ReadContext): Promise<Tried> {
  const output = await reader.run({ command: "kernel-log", via }, context.signal);
  const failure = outputFailure(output);
  if (failure !== null || !output.ok) return { read: output.read, failure: failure ?? unanswered };
  const said = output.stderr.toString("utf8").trim();
  const text = output.stdout.toString("utf8");
  if (output.exitCode !== 0 || !hasKernelLine(text)) {
    return { read: output.read, failure: judge(output.exitCode, said, via) };
  }
  // The oldest lines come first: what is cut is the newest, so what is there must not pass as the whole.
  if (output.truncated) return { read: output.read, failure: tooLarge };
  return { read: output.read, text };
}

const unanswered: Failure = { code: "failed", reason: "no answer", fix: null };
const tooLarge: Failure = { code: "too-large", reason: `more than ${limits.kernelLogBytes} bytes`, fix: null };

/** `-- No entries --` and `-- Journal begins at … --` are journalctl's own words, not the kernel's. */
function hasKernelLine(text: string): boolean {
  return /^(?!-- )[^\n]*\S/m.test(text);
}

function judge(exitCode: number, said: string, via: Way): Failure {
  const refused = /not permitted|permission|password is required|not allowed|may not run|sudoers|other users/i.test(
    said,
  );
  const missing = exitCode === 127 || /not found|no such file/i.test(said);
  if (!refused && missing) return { code: "unsupported", reason: said, fix: null };
  if (!refused && exitCode !== 0) return { code: "failed", reason: said || `exit code ${exitCode}`, fix: null };
  return { code: "permission-denied", reason: said || "the answer has no kernel line in it", fix: fixOf(via) };
}

function fixOf(via: Way): string {
  switch (via) {
    case "dmesg":
      return "sudo sysctl kernel.dmesg_restrict=0, or add the user to the group systemd-journal";
    case "sudo-dmesg":
      return "allow exactly `dmesg` without a password in sudoers";
    case "journalctl":
      return "add the user to the group systemd-journal";
    case "sudo-journalctl":
      return "allow exactly this journalctl command without a password in sudoers";
  }
}

/** To the second, which is what the kernel gives (`btime`). */
async function readBootTime(reader: HostReader, context: ReadContext): Promise<number | null> {
  const { files } = await readFiles(reader, ["/proc/stat"], context);
  const bootS = keyValues(files.get("/proc/stat")).get("btime");
  return bootS === undefined ? null : bootS * 1000;
}
