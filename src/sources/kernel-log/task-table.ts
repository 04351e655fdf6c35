import type { OomTask } from "../../core/kernel-log.ts";

/** Reads the rows under one table header. The columns between `uid` and `name` are numbers in every kernel. */
export type RowReader = (line: string) => OomTask | null;

const READERS = new Map<string, RowReader>();

/** A reader for these columns (`uid tgid … name`). A row may stand behind any prefix. */
export function rowReader(columns: readonly string[]): RowReader {
  const key = columns.join(" ");
  const known = READERS.get(key);
  if (known !== undefined) return known;
  const reader = makeReader(columns);
  // The kernel knows a handful of headers; hostile text may hold any number.
  if (READERS.size < 32) READERS.set(key, reader);
  return reader;
}

function makeReader(columns: readonly string[]): RowReader {
  const numbers = columns.length - 1;
  const row = new RegExp(`(?:^|[\\]\\s;:>"])\\[ *(\\d{1,10})\\]((?: +-?\\d+){${numbers}}) (.{0,64})`);
  const at = (name: string) => columns.indexOf(name);
  const [uid, tgid, vm, rss] = [at("uid"), at("tgid"), at("total_vm"), at("rss")];
  const [anon, file, shmem] = [at("rss_anon"), at("rss_file"), at("rss_shmem")];
  const [swap, adj] = [at("swapents"), at("oom_score_adj")];
  if (numbers < 4 || numbers > 16 || uid < 0 || tgid < 0 || vm < 0 || rss < 0) return () => null;
  return (line) => {
    const match = row.exec(line);
    if (match === null) return null;
    const cells = (match[2] as string).trim().split(/ +/);
    const cell = (index: number) => (index < 0 ? null : Number(cells[index]));
    return {
      pid: Number(match[1]),
      uid: Number(cells[uid]),
      tgid: Number(cells[tgid]),
      totalVmPages: Number(cells[vm]),
      rssPages: Number(cells[rss]),
      rssAnonPages: cell(anon),
      rssFilePages: cell(file),
      rssShmemPages: cell(shmem),
      swapEntries: cell(swap),
      oomScoreAdj: cell(adj),
      name: (match[3] as string).trimEnd(),
    };
  };
}

/** The row with the most pages, resident and swapped. */
export function largestTask(tasks: readonly OomTask[]): OomTask | null {
  let largest: OomTask | null = null;
  for (const task of tasks) if (largest === null || pages(task) > pages(largest)) largest = task;
  return largest;
}

function pages(task: OomTask): number {
  return task.rssPages + (task.swapEntries ?? 0);
}

/** 4, 16 or 64; null where the figures do not fit, because the victim grew between the dump and the kill. */
export function pageSizeKb(task: OomTask | null, totalVmKb: number | null): number | null {
  if (task === null || totalVmKb === null || task.totalVmPages === 0) return null;
  const size = totalVmKb / task.totalVmPages;
  return size === 4 || size === 16 || size === 64 ? size : null;
}
