import type { OomScope } from "../../../src/core/kernel-log.ts";

/** Writes OOM records as the kernels write them, so that a test knows the truth of the text it makes. */
export type Truth = {
  pid: number;
  process: string;
  scope: OomScope;
  containerId: string | null;
  limitedCgroup: string | null;
  totalVmKb: number | null;
  anonRssKb: number | null;
  fileRssKb: number | null;
  shmemRssKb: number | null;
  uid: number | null;
  oomScoreAdj: number | null;
  triggeredBy: string | null;
  timestamp: string | null;
  confirmed: boolean;
};

export type Scene = {
  pid: number;
  process: string;
  trigger: string;
  scope: OomScope;
  taskCgroup: string;
  limitedCgroup: string;
  containerId: string | null;
  uid: number;
  adj: number;
  pages: number;
};

export type Written = { messages: string[]; truth: Truth };

const ID = "3f5a9c0d".repeat(8);
const POD = "pod968a06fb_9ab9_4819_8caf_0392ddff3d9b";

/** Where container managers put a task: its cgroup, and the container id in it. */
export const drivers: Record<string, { task: string; limit: string; id: string | null }> = {
  "docker with cgroupfs": { task: `/docker/${ID}`, limit: `/docker/${ID}`, id: ID },
  "docker with systemd": {
    task: `/system.slice/docker-${ID}.scope`,
    limit: `/system.slice/docker-${ID}.scope`,
    id: ID,
  },
  "a process below a docker scope": {
    task: `/system.slice/docker-${ID}.scope/init`,
    limit: `/system.slice/docker-${ID}.scope`,
    id: ID,
  },
  "docker under a limited parent": { task: `/team.slice/docker-${ID}.scope`, limit: "/team.slice", id: ID },
  "kubepods with cgroupfs": { task: `/kubepods/burstable/${POD}/${ID}`, limit: `/kubepods/burstable/${POD}`, id: ID },
  "kubepods with containerd": {
    task: `/kubepods.slice/kubepods-${POD}.slice/cri-containerd-${ID}.scope`,
    limit: `/kubepods.slice/kubepods-${POD}.slice`,
    id: ID,
  },
  "kubepods with CRI-O": {
    task: `/kubepods.slice/kubepods-${POD}.slice/crio-${ID}.scope`,
    limit: `/kubepods.slice/kubepods-${POD}.slice/crio-${ID}.scope`,
    id: ID,
  },
  podman: { task: `/machine.slice/libpod-${ID}.scope/container`, limit: `/machine.slice/libpod-${ID}.scope`, id: ID },
  "podman's monitor": { task: `/machine.slice/libpod-conmon-${ID}.scope`, limit: "/machine.slice", id: null },
  "containerd's own namespace": {
    task: `/default/${ID.slice(0, 12)}`,
    limit: `/default/${ID.slice(0, 12)}`,
    id: ID.slice(0, 12),
  },
  "docker inside LXC": { task: `/lxc/39004/ns/system.slice/docker-${ID}.scope`, limit: "/lxc/39004", id: ID },
  "docker inside docker": {
    task: `/docker/${"0a".repeat(32)}/docker/${ID}`,
    limit: `/docker/${"0a".repeat(32)}`,
    id: ID,
  },
  "runc without systemd's help": {
    task: `/system.slice/containerd.service/kubepods-${POD}.slice:cri-containerd:${ID}`,
    limit: "/system.slice",
    id: ID,
  },
  "an ECS task": { task: `/ecs/${"4d".repeat(16)}/${ID}`, limit: `/ecs/${"4d".repeat(16)}`, id: ID },
  "a login session": { task: "/user.slice/user-1000.slice/session-2.scope", limit: "/user.slice", id: null },
  "a transient unit": {
    task: `/system.slice/run-r${"ab".repeat(16)}.scope`,
    limit: `/system.slice/run-r${"ab".repeat(16)}.scope`,
    id: null,
  },
  "a name with blanks and commas": { task: "/mem, two,pid=1,uid=2/x y", limit: "/mem, two,pid=1,uid=2", id: null },
};

export type Form = (scene: Scene) => Written;

/** The record as the kernels of each age write it. */
export const forms: Record<string, Form> = {
  "3.10": (s) => legacy(s, { header: "nr_ptes", cells: "16", shmem: false }),
  "3.0": (s) => legacy(s, { header: "cpu oom_adj", cells: "3 0", shmem: false, noSwap: true }),
  "4.8": (s) => legacy(s, { header: "nr_ptes nr_pmds", cells: "315 4", shmem: true }),
  "4.15": (s) => legacy(s, { header: "pgtables_bytes", cells: "77824", shmem: true }),
  "Red Hat 6": (s) => legacy(s, { header: "nr_ptes", cells: "16", shmem: false, uid: "before" }),
  "Red Hat 7": (s) => legacy(s, { header: "nr_ptes", cells: "16", shmem: true, uid: "behind" }),
  "5.0": (s) => modern(s, { choice: true, tail: false, wide: false }),
  "5.2": (s) => modern(s, { choice: false, tail: false, wide: false }),
  "5.15": (s) => modern(s, { choice: false, tail: true, wide: false }),
  "6.8": (s) => modern(s, { choice: false, tail: true, wide: true }),
};

type Legacy = { header: string; cells: string; shmem: boolean; noSwap?: boolean; uid?: "before" | "behind" };

function legacy(s: Scene, how: Legacy): Written {
  const memcg = s.scope === "memcg";
  const head = memcg ? "Memory cgroup out of memory" : "Out of memory";
  const name = `(${s.process})`;
  const who =
    how.uid === "before" ? `, UID ${s.uid}, ${name}` : how.uid === "behind" ? ` ${name}, UID ${s.uid},` : ` ${name}`;
  const shmem = how.shmem ? ", shmem-rss:8kB" : "";
  const swap = how.noSwap ? "" : " 12";
  const messages = [
    `${s.trigger} invoked oom-killer: gfp_mask=0x24000c0(GFP_KERNEL), order=0, oom_score_adj=0`,
    `${s.trigger} cpuset=/ mems_allowed=0`,
    "Call Trace:",
    " [<ffffffff811526de>] oom_kill_process+0x1ce/0x330",
    ...(memcg
      ? [`Task in ${s.taskCgroup} killed as a result of limit of ${s.limitedCgroup}`, ...usage("memory+swap")]
      : machine()),
    `[ pid ]   uid  tgid total_vm      rss ${how.header}${how.noSwap ? "" : " swapents"} oom_score_adj name`,
    `[${s.pid}] ${s.uid} ${s.pid}  ${s.pages}      343   ${how.cells}${swap}             ${s.adj} ${s.process}`,
    `${head}: Kill process ${s.pid} (${s.process}) score 996 or sacrifice child`,
    `Killed process ${s.pid}${who} total-vm:${s.pages * 4}kB, anon-rss:920kB, file-rss:452kB${shmem}`,
  ];
  return {
    messages,
    truth: { ...truthOf(s), shmemRssKb: how.shmem ? 8 : null, uid: how.uid ? s.uid : null, oomScoreAdj: null },
  };
}

function modern(s: Scene, how: { choice: boolean; tail: boolean; wide: boolean }): Written {
  const memcg = s.scope === "memcg";
  const head = memcg ? "Memory cgroup out of memory" : "Out of memory";
  const constraint = { memcg: "MEMCG", host: "NONE", cpuset: "CPUSET", mempolicy: "MEMORY_POLICY", unknown: "NONE" }[
    s.scope
  ];
  const where = memcg ? `oom_memcg=${s.limitedCgroup}` : "global_oom";
  const tail = how.tail ? `, UID:${s.uid} pgtables:104kB oom_score_adj:${s.adj}` : "";
  const killed = `Killed process ${s.pid} (${s.process}) total-vm:${s.pages * 4}kB, anon-rss:920kB, file-rss:452kB, shmem-rss:8kB${tail}`;
  const messages = [
    `${s.trigger} invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0`,
    "Call Trace:",
    " oom_kill_process.cold+0xb/0x10",
    ...(memcg ? usage("swap") : machine()),
    "Tasks state (memory values in pages):",
    `[  pid  ]   uid  tgid total_vm      rss ${how.wide ? "rss_anon rss_file rss_shmem " : ""}pgtables_bytes swapents oom_score_adj name`,
    `[${String(s.pid).padStart(7)}] ${s.uid} ${s.pid} ${s.pages}      343 ${how.wide ? "230 113 0 " : ""}77824        12         ${s.adj} ${s.process}`,
    `oom-kill:constraint=CONSTRAINT_${constraint},nodemask=(null),cpuset=x,mems_allowed=0,2-4,${where},task_memcg=${s.taskCgroup},task=${s.process},pid=${s.pid},uid=${s.uid}`,
    ...(how.choice
      ? [`${head}: Kill process ${s.pid} (${s.process}) score 996 or sacrifice child`, killed]
      : [`${head}: ${killed}`]),
  ];
  return { messages, truth: { ...truthOf(s), containerId: s.containerId, oomScoreAdj: how.tail ? s.adj : null } };
}

function usage(second: string): string[] {
  return [
    "memory: usage 262144kB, limit 262144kB, failcnt 31",
    `${second}: usage 0kB, limit 9007199254740988kB, failcnt 0`,
  ];
}

function machine(): string[] {
  return ["Mem-Info:", "Free swap  = 0kB", "Total swap = 2097148kB", "524158 pages RAM"];
}

function truthOf(s: Scene): Truth {
  return {
    pid: s.pid,
    process: s.process,
    scope: s.scope,
    containerId: s.scope === "memcg" ? s.containerId : null,
    limitedCgroup: s.scope === "memcg" ? s.limitedCgroup : null,
    totalVmKb: s.pages * 4,
    anonRssKb: 920,
    fileRssKb: 452,
    shmemRssKb: 8,
    uid: s.uid,
    oomScoreAdj: null,
    triggeredBy: s.trigger,
    timestamp: null,
    confirmed: true,
  };
}

export function driverOf(name: string) {
  return named(drivers, name);
}

export function formOf(name: string): Form {
  return named(forms, name);
}

export function named<T>(table: Record<string, T>, name: string): T {
  const value = table[name];
  if (value === undefined) throw new Error(`nothing is written for ${name}`);
  return value;
}
