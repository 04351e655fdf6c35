import type { CgroupCounter, OomScope } from "../../core/kernel-log.ts";

/** One line of an OOM record, by what it tells. The kernel function that prints it is named at its pattern. */
export type OomMessage =
  | {
      kind: "invoked";
      process: string | null;
      gfpMask: string | null;
      order: number | null;
    }
  | { kind: "task-in"; taskCgroup: string; limitedCgroup: string }
  | {
      kind: "usage";
      counter: "memory" | "memorySwap" | "swap";
      value: CgroupCounter;
    }
  | { kind: "table"; columns: readonly string[] }
  | {
      kind: "machine";
      figure: "ramPages" | "totalSwapKb" | "freeSwapKb";
      value: number;
    }
  | {
      kind: "summary";
      pid: number;
      uid: number;
      process: string;
      scope: OomScope;
      taskCgroup: string | null;
      limitedCgroup: string | null;
    }
  | { kind: "choice"; pid: number; process: string; scope: OomScope }
  | {
      kind: "killed";
      pid: number;
      process: string;
      scope: OomScope;
      figures: KilledFigures;
      bareClaim: boolean;
    }
  | { kind: "group"; cgroup: string };

export type KilledFigures = {
  totalVmKb: number | null;
  anonRssKb: number | null;
  fileRssKb: number | null;
  shmemRssKb: number | null;
  uid: number | null;
  oomScoreAdj: number | null;
};

/**
 * Reads one kernel message that has no prefix any more. Null where it is not part of an OOM record. Every pattern
 * starts at the first character, and reads a process name (15 bytes that a user chooses) up to the last place where
 * the kernel's own text can follow, so a name cannot pass for fields or for a record.
 */
export function readOomMessage(message: string): OomMessage | null {
  if (message.startsWith("oom-kill:")) return readSummary(message);
  if (/^Tasks? in\s*\//.test(message)) return readTaskIn(message);
  if (message.includes("rocess")) {
    const victim = readVictim(message);
    if (victim !== null) return victim;
  }
  if (message.includes("oom-killer:")) return readInvoked(message);
  if (message.includes("kB, limit ")) return readUsage(message);
  const header = TABLE_HEADER.exec(message);
  if (header !== null)
    return {
      kind: "table",
      columns: (header[1] as string).trim().split(/\s+/),
    };
  return readMachine(message);
}

/** dump_oom_summary(), since 4.20. SUSE's 4.12 and 4.19-rc forms lack some fields; the order is always this. */
function readSummary(message: string): OomMessage | null {
  const ids = /^oom-kill:constraint=(\w+),.*,pid=\s*(\d{1,10}),uid=\s*(\d{1,10})/s.exec(message);
  if (ids === null) return null;
  const beforePid = message.lastIndexOf(",pid=");
  // A name has at most 15 bytes, so the field's start is searched no further back than it can be.
  const taskAt = message.indexOf(",task=", Math.max(0, beforePid - ",task=".length - MAX_NAME_BYTES));
  if (taskAt < 0 || taskAt >= beforePid) return null;
  const head = message.slice(0, taskAt);
  const taskCgroup = after(head, ",task_memcg=", null);
  const limitedCgroup = after(head, ",oom_memcg=", ",task_memcg=");
  return {
    kind: "summary",
    pid: Number(ids[2]),
    uid: Number(ids[3]),
    process: message.slice(taskAt + ",task=".length, beforePid),
    scope: scopeOfConstraint(ids[1] as string, limitedCgroup),
    taskCgroup,
    limitedCgroup,
  };
}

const MAX_NAME_BYTES = 15;

function after(text: string, key: string, end: string | null): string | null {
  const at = text.indexOf(key);
  if (at < 0) return null;
  const to = end === null ? -1 : text.indexOf(end, at);
  return text.slice(at + key.length, to < 0 ? undefined : to).trim() || null;
}

/** A named memory cgroup is the one whose limit was hit, even under CONSTRAINT_NONE (a kill asked for by the group). */
function scopeOfConstraint(constraint: string, limitedCgroup: string | null): OomScope {
  if (limitedCgroup !== null || constraint === "CONSTRAINT_MEMCG") return "memcg";
  if (constraint === "CONSTRAINT_CPUSET") return "cpuset";
  if (constraint === "CONSTRAINT_MEMORY_POLICY") return "mempolicy";
  return constraint === "CONSTRAINT_NONE" ? "host" : "unknown";
}

/** mem_cgroup_print_oom_info() before 5.0, and mem_cgroup_print_oom_group(). */
function readTaskIn(message: string): OomMessage | null {
  const group = /^Tasks in (\/.*) are going to be killed due to memory\.oom\.group set/s.exec(message);
  if (group !== null) return { kind: "group", cgroup: group[1] as string };
  const limit = /^Task in\s*(\/.*?)\s*killed\s*as\s*a\s*result\s*of\s*limit\s*of\s*(\/.*)$/s.exec(message);
  if (limit === null) return null;
  return {
    kind: "task-in",
    taskCgroup: limit[1] as string,
    limitedCgroup: (limit[2] as string).trim(),
  };
}

/** What stands before "Kill(ed) process", without blanks: a wrapped line may have lost or gained some. */
const HEADS: ReadonlyMap<string, OomScope> = new Map([
  ["", "unknown"],
  ["memorycgroupoutofmemory:", "memcg"],
  ["outofmemory:", "host"],
  ["outofmemory(oom_kill_allocating_task):", "host"],
  ["noavailablememory(mpol_bind):", "mempolicy"],
  ["noavailablememoryincpuset:", "cpuset"],
]);
const VERB = /^([\s\S]{0,60}?)\b(Kill|kill)(ed)?\s*process\s*(\d{1,10})\b/;

/** oom_kill_process() and __oom_kill_process(), 2.6 to 6.x. */
function readVictim(message: string): OomMessage | null {
  const verb = VERB.exec(message);
  if (verb === null) return null;
  const scope = HEADS.get((verb[1] as string).replace(/\s+/g, "").toLowerCase());
  if (scope === undefined) return null;
  const pid = Number(verb[4]);
  const rest = message.slice(verb[0].length);
  if (verb[3] === undefined) {
    const choice = /^\s*\((.*)\)\s*score\s*\d+/s.exec(rest);
    return choice === null ? null : { kind: "choice", pid, process: choice[1] as string, scope };
  }
  return readKilled(pid, scope, rest, verb[1] === "");
}

/** Red Hat 6 puts the uid before the name, Red Hat 7 behind it, 5.4 and later at the end. */
const KILLED_FULL = /^(?:,\s*UID\s*(\d+),)?\s*\((.*)\)(?:,\s*UID\s*(\d+),)?\s*(?:total-vm|vsz):\s*(\d.*)$/s;
const KILLED_SHORT = /^\s*\((.*)\)[\s,.]*([a-z-]*:?)$/s;

function readKilled(pid: number, scope: OomScope, rest: string, headless: boolean): OomMessage | null {
  const full = KILLED_FULL.exec(rest);
  if (full === null) {
    // Before 3.0 nothing follows the name; in a cut text the first key may be cut too. Prose is not a record.
    const short = KILLED_SHORT.exec(rest);
    if (short === null || !"total-vm:".startsWith(short[2] as string)) return null;
    return {
      kind: "killed",
      pid,
      process: short[1] as string,
      scope,
      figures: figuresIn(""),
      bareClaim: headless,
    };
  }
  const tail = full[4] as string;
  const uid = full[1] ?? full[3];
  const figures = {
    ...figuresIn(tail),
    totalVmKb: kb(/^(\d+)\s*k/.exec(tail)),
  };
  if (uid !== undefined) figures.uid = Number(uid);
  return {
    kind: "killed",
    pid,
    process: full[2] as string,
    scope,
    figures,
    bareClaim: false,
  };
}

/** Read behind the name only. A figure that is cut before its unit may lack digits, so it is unknown. */
function figuresIn(tail: string): KilledFigures {
  const adj = /oom_score_adj:\s*(-?\d+)/.exec(tail);
  return {
    totalVmKb: null,
    anonRssKb: kb(/anon-rss:\s*(\d+)\s*k/.exec(tail)),
    fileRssKb: kb(/file-rss:\s*(\d+)\s*k/.exec(tail)),
    shmemRssKb: kb(/shmem-rss:\s*(\d+)\s*k/.exec(tail)),
    uid: kb(/\bUID:\s*(\d+)(?=[\s,])/.exec(tail)),
    oomScoreAdj: adj === null ? null : Number(adj[1]),
  };
}

function kb(match: RegExpExecArray | null): number | null {
  return match === null ? null : Number(match[1]);
}

/** dump_header(). A trigger longer than a name can be stands behind something that is not a known prefix. */
function readInvoked(message: string): OomMessage | null {
  const match = /^(.{0,200}?)\s*invoked\s*oom-killer:/s.exec(message);
  if (match === null) return null;
  const name = match[1] as string;
  const mask = /gfp_mask=(0x[0-9a-f]+)/.exec(message);
  const order = /order=(-?\d+)/.exec(message);
  return {
    kind: "invoked",
    process: name === "" || Buffer.byteLength(name) > MAX_NAME_BYTES ? null : name,
    gfpMask: mask?.[1] ?? null,
    order: order === null ? null : Number(order[1]),
  };
}

/** "No limit" is the largest page count times the page size: 2^53 kB less a page, or 2^54 with old kernels. */
const UNLIMITED_KB = 2 ** 53 - 2 ** 16;

function readUsage(message: string): OomMessage | null {
  const match = /^(memory|memory\+swap|swap): usage (\d+)kB, limit (\d+)kB, failcnt (\d+)/.exec(message);
  if (match === null) return null;
  const limit = Number(match[3]);
  const counter = match[1] === "memory+swap" ? "memorySwap" : (match[1] as "memory" | "swap");
  const value = {
    usageKb: Number(match[2]),
    limitKb: limit >= UNLIMITED_KB ? null : limit,
    failcnt: Number(match[4]),
  };
  return { kind: "usage", counter, value };
}

/** dump_tasks(). The columns differ by version, so the header says how to read the rows. */
const TABLE_HEADER = /^\[\s*pid\s*\]\s+(uid\s+tgid\s+total_vm\s.*\bname)\s*$/;

function readMachine(message: string): OomMessage | null {
  const match = /^(?:(\d+) pages RAM|(Total|Free) swap\s*=\s*(\d+)kB)/.exec(message);
  if (match === null) return null;
  if (match[1] !== undefined) return { kind: "machine", figure: "ramPages", value: Number(match[1]) };
  return {
    kind: "machine",
    figure: match[2] === "Total" ? "totalSwapKb" : "freeSwapKb",
    value: Number(match[3]),
  };
}
