import type { ProcessRow } from "../core/readings.ts";

/**
 * Rows of a `ps` table, whatever its columns. `cells` of a row may be more than the titles: what is left belongs to the
 * last column, which is the command line. RSS is in KiB in every form of `ps`.
 */
export function processRows(titles: readonly string[], rows: readonly (readonly string[])[]): ProcessRow[] {
  const names = titles.map((title) => title.toUpperCase());
  const columns = columnsOf(names);
  return rows.flatMap((cells) => {
    const row = [...cells.slice(0, names.length - 1), cells.slice(names.length - 1).join(" ")];
    return processRow((column) => (column === -1 ? null : (row[column] ?? null)), columns) ?? [];
  });
}

/** A printed table: the first line holds the titles. */
export function parseProcessTable(text: string): ProcessRow[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const titles = lines[0]?.trim().split(/\s+/) ?? [];
  return processRows(
    titles,
    lines.slice(1).map((line) => cellsOf(line, titles.length)),
  );
}

/** Splits at runs of blanks, and leaves the blanks of the last cell alone. */
export function cellsOf(line: string, count: number): string[] {
  const cells: string[] = [];
  let rest = line.trim();
  while (cells.length < count - 1) {
    const cell = /^\S+/.exec(rest)?.[0];
    if (cell === undefined) break;
    cells.push(cell);
    rest = rest.slice(cell.length).trimStart();
  }
  return rest === "" ? cells : [...cells, rest];
}

type Columns = ReturnType<typeof columnsOf>;

function columnsOf(names: string[]) {
  const first = (...wanted: string[]) => names.findIndex((name) => wanted.includes(name));
  const commands = names.flatMap((name, index) => (commandTitles.includes(name) ? [index] : []));
  return {
    // Podman's HPID is the host's number, its PID the container's own.
    pid: names.includes("HPID") ? first("HPID") : first("PID"),
    ppid: first("PPID"),
    uid: first("UID", "USER", "EUID", "EUSER", "HUSER"),
    state: first("STAT", "S", "STATE"),
    rss: first("RSS", "RSZ"),
    elapsed: first("ELAPSED", "ETIMES", "ETIME"),
    wait: first("WCHAN"),
    time: first("TIME", "CPUTIME", "TIMES"),
    // `comm` and `args` may both be titled COMMAND: the name comes first, the whole line last.
    command: commands.length > 1 ? (commands[0] ?? -1) : -1,
    args: commands.at(-1) ?? -1,
  };
}

const commandTitles = ["COMMAND", "CMD", "ARGS", "COMM", "UCMD"];

function processRow(cell: (column: number) => string | null, columns: Columns): ProcessRow | null {
  const pid = integer(cell(columns.pid));
  if (pid === null) return null;
  const args = cell(columns.args) ?? "";
  const rssKb = integer(cell(columns.rss));
  return {
    pid,
    ppid: integer(cell(columns.ppid)),
    uid: cell(columns.uid) ?? "",
    state: cell(columns.state)?.[0] ?? null,
    rssBytes: rssKb === null ? null : rssKb * 1024,
    elapsedS: seconds(cell(columns.elapsed)),
    waitChannel: waitOf(cell(columns.wait)),
    command: cell(columns.command) ?? commandOf(args),
    args,
    cpuSeconds: seconds(cell(columns.time)),
  };
}

/** Server titles such as `postgres: app shop 172.18.0.5(52114) idle` have their name before the colon. */
function commandOf(args: string): string {
  const kernel = /^\[([^\]]+)\]/.exec(args)?.[1];
  const word = kernel ?? args.split(/\s/)[0] ?? "";
  return (word.split("/").at(-1) ?? word).replace(/:$/, "");
}

function waitOf(text: string | null): string | null {
  return text === null || text === "-" || text === "0" || text === "*" ? null : text;
}

function integer(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

/** `42` (seconds), `01:02`, `03:01:02`, `2-03:01:02`, and Podman's `3h1m2.5s`. */
function seconds(text: string | null): number | null {
  const spoken = /^(?:(\d+)h)?(?:(\d+)m)?(\d+)(?:\.\d+)?s$/.exec(text ?? "");
  if (spoken !== null) return Number(spoken[1] ?? 0) * 3_600 + Number(spoken[2] ?? 0) * 60 + Number(spoken[3]);
  const match = /^(?:(\d+)-)?(?:(\d+):)?(?:(\d+):)?(\d+)(?:\.\d+)?$/.exec(text ?? "");
  if (match === null) return null;
  const [, days, first, second, last] = match;
  const [hours, minutes] = second === undefined ? ["0", first ?? "0"] : [first ?? "0", second];
  return Number(days ?? 0) * 86_400 + Number(hours) * 3_600 + Number(minutes) * 60 + Number(last);
}
