import type { KernelLog, OomKill } from "../../core/kernel-log.ts";

export type KernelLogJson = {
  schemaVersion: 1;
  kills: Pick<OomKill, (typeof KEYS)[number]>[];
};

/** The order is part of the contract for people who read the output. */
const KEYS = [
  "pid",
  "process",
  "scope",
  "containerId",
  "limitedCgroup",
  "totalVmKb",
  "anonRssKb",
  "fileRssKb",
  "shmemRssKb",
  "uid",
  "oomScoreAdj",
  "triggeredBy",
  "timestamp",
  "confirmed",
] as const;

/** What `kernel-log --json` prints: the public part of a kernel log, and nothing else. */
export function toKernelLogJson(log: KernelLog): KernelLogJson {
  const kills = log.kills.map(
    (kill) => Object.fromEntries(KEYS.map((key) => [key, kill[key]])) as KernelLogJson["kills"][number],
  );
  return { schemaVersion: 1, kills };
}
