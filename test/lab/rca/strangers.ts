import type { ProcessRow } from "../../../src/core/readings.ts";
import type { Frozen } from "./card.ts";

type Readings = Frozen["readings"];

/**
 * The machine that plays runs other programs too, and they are nobody's business: of the host's process list a recording
 * keeps the kernel's threads, the lab's own programs and what these started, and of the others only that they are there.
 */
export function withoutStrangers(readings: Readings): Readings {
  return readings.map((reading) => {
    if (reading.source !== "host-processes" || reading.outcome.status !== "ok") return reading;
    const rows = reading.outcome.value as ProcessRow[];
    return { ...reading, outcome: { ...reading.outcome, value: hidden(rows) } };
  });
}

function hidden(rows: readonly ProcessRow[]): ProcessRow[] {
  const parents = new Map(rows.map(({ pid, ppid }) => [pid, ppid]));
  const ours = new Set(rows.filter((row) => isKernels(row) || isLabs(row)).map(({ pid }) => pid));
  const belongs = (pid: number): boolean => {
    for (
      let at: number | undefined = pid, up = 0;
      at !== undefined && up < 64;
      at = parents.get(at) ?? undefined, up += 1
    )
      if (ours.has(at)) return true;
    return false;
  };
  return rows.map((row) => (belongs(row.pid) ? row : { ...row, command: "other", args: "other" }));
}

const isKernels = ({ pid, ppid }: ProcessRow) => pid === 2 || ppid === 2;

const isLabs = ({ args }: ProcessRow) =>
  /room137-lab|containerd|dockerd|conmon|\bpodman\b|sshd|test\/lab|\/sbin\/init|systemd/.test(args);
