import { limits } from "../core/limits.ts";
import type { ProcessFacts } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import type { HostReader } from "../ports.ts";
import { hashedFiles, readFiles } from "./files.ts";
import { type EvidenceSource, parsedFrom, type ReadContext, toReading } from "./reading.ts";
import { parseSockets } from "./sockets.ts";

/** Sockets, descriptors and state of containers' main processes, from outside: nothing is run inside. */
export const processFacts: EvidenceSource<"process-facts"> = {
  name: "process-facts",
  async read(reader, planned, context) {
    const { containers } = planned.args;
    const perCommand = Math.floor(limits.filesPerCommand / Object.keys(names).length);
    const groups: (typeof containers)[] = [];
    for (let at = 0; at < containers.length; at += perCommand) groups.push(containers.slice(at, at + perCommand));
    const readings = await Promise.all(groups.map((group) => readGroup(reader, planned, group, context)));
    return readings.flat();
  },
};

const names = {
  tcp: "net/tcp",
  tcp6: "net/tcp6",
  netstat: "net/netstat",
  snmp: "net/snmp",
  dev: "net/dev",
  status: "status",
  wchan: "wchan",
  limits: "limits",
} as const;

type Container = PlannedRead<"process-facts">["args"]["containers"][number];

async function readGroup(
  reader: HostReader,
  planned: PlannedRead<"process-facts">,
  group: Container[],
  context: ReadContext,
) {
  const [{ files, failure }, ...descriptors] = await Promise.all([
    readFiles(
      reader,
      group.flatMap(({ pid }) => Object.values(names).map((name) => pathOf(pid, name))),
      context,
    ),
    ...group.map(({ pid }) => reader.run({ command: "descriptors", pid }, context.signal)),
  ]);
  const positions = await readPositions(
    reader,
    group.map(({ pid }, index) => ({ pid, listing: textOf(descriptors[index]) })),
    context,
  );
  return group.map(({ pid, containerId }, index) => {
    const read = `head /proc/${pid}/net/tcp and the files beside it`;
    const about = { source: planned.source, host: planned.host, containerId, read };
    if (failure !== null) return toReading(about, { status: "failed", ...failure }, context);
    const own = new Map([...files].filter(([path]) => path.startsWith(`/proc/${pid}/`)));
    if (own.size === 0) {
      return toReading(about, { status: "failed", code: "not-found", reason: `no process ${pid}`, fix: null }, context);
    }
    const open = textOf(descriptors[index]);
    for (const [path, text] of positions) if (path.startsWith(`/proc/${pid}/`)) own.set(path, text);
    const hashed = `${hashedFiles(own)}\n${open ?? ""}`;
    return toReading(
      about,
      parsedFrom(hashed, () => parseProcessFacts(pid, own, open)),
      context,
    );
  });
}

/** The text of a whole listing, null where it could not be read. */
function textOf(listing: Awaited<ReturnType<HostReader["run"]>> | undefined): string | null {
  return listing?.ok && listing.exitCode === 0 && !listing.truncated ? listing.stdout.toString("latin1") : null;
}

/** A deleted file has no size to ask for by name; how far it was written stands in the descriptor's own record. */
async function readPositions(
  reader: HostReader,
  listings: { pid: number; listing: string | null }[],
  context: ReadContext,
): Promise<ReadonlyMap<string, string>> {
  const paths = listings.flatMap(({ pid, listing }) =>
    deletedIn(listing)
      .slice(0, limits.deletedFiles)
      .map(({ descriptor }) => positionPath(pid, descriptor)),
  );
  if (paths.length === 0) return new Map();
  return (await readFiles(reader, paths.slice(0, limits.filesPerCommand), context)).files;
}

function positionPath(pid: number, descriptor: string): string {
  return `/proc/${pid}/fdinfo/${descriptor}`;
}

/** Regular files that were deleted: not sockets, not shared memory, not files that never had a name. */
function deletedIn(listing: string | null): { descriptor: string; path: string }[] {
  return [...(listing ?? "").matchAll(/ (\d+) -> (\/.{1,512}) \(deleted\)$/gm)]
    .map((match) => ({ descriptor: match[1] ?? "", path: match[2] ?? "" }))
    .filter(({ path }) => !/^\/(?:memfd:|dev\/|SYSV|proc\/)|\/#\d+$/.test(path));
}

/** Takes the files by path, and `ls -l /proc/<pid>/fd`, null where it could not be read. */
export function parseProcessFacts(
  pid: number,
  files: ReadonlyMap<string, string>,
  descriptors: string | null,
): ProcessFacts {
  const file = (name: keyof typeof names) => files.get(pathOf(pid, names[name])) ?? "";
  const sockets = [...parseSockets(file("tcp")), ...parseSockets(file("tcp6"))];
  const extended = counters(file("netstat"), "TcpExt");
  const tcp = counters(file("snmp"), "Tcp");
  const wait = file("wchan").trim();
  const threads = /^Threads:\s+(\d+)/m.exec(file("status"))?.[1];
  const openLimit = /^Max open files\s+(\d+)/m.exec(file("limits"))?.[1];
  return {
    pid,
    listeners: sockets.filter(({ state }) => state === "LISTEN").map(({ address, port }) => ({ address, port })),
    connections: sockets.filter(({ state }) => state !== "LISTEN"),
    listenOverflows: extended.get("ListenOverflows") ?? null,
    listenDrops: extended.get("ListenDrops") ?? null,
    openFiles: descriptors === null ? null : (descriptors.match(/ -> /g)?.length ?? 0),
    openFilesLimit: openLimit === undefined ? null : Number(openLimit),
    deletedFiles: deletedIn(descriptors)
      .slice(0, limits.deletedFiles)
      .map(({ descriptor, path }) => ({ path, sizeBytes: position(files.get(positionPath(pid, descriptor))) })),
    interfaces: interfacesOf(file("dev")),
    state: /^State:\s+(\S)/m.exec(file("status"))?.[1] ?? null,
    waitChannel: wait === "" || wait === "0" ? null : wait,
    threads: threads === undefined ? null : Number(threads),
    tcpRetransmits: tcp.get("RetransSegs") ?? null,
    tcpOutSegments: tcp.get("OutSegs") ?? null,
  };
}

function position(text: string | undefined): number | null {
  const match = /^pos:\s+(\d+)/m.exec(text ?? "");
  return match === null ? null : Number(match[1]);
}

function pathOf(pid: number, name: string): string {
  return `/proc/${pid}/${name}`;
}

/** Two lines a group: `TcpExt: Name Name …` and `TcpExt: 1 2 …`. */
function counters(text: string, group: string): Map<string, number> {
  const [titles, values] = text
    .split("\n")
    .filter((line) => line.startsWith(`${group}: `))
    .map((line) => line.split(" "));
  return new Map((titles ?? []).slice(1).map((title, index) => [title, Number(values?.[index + 1])]));
}

/** Eight receive columns, then eight transmit ones: bytes packets errs drop … (net/core/net-procfs.c). */
function interfacesOf(text: string): ProcessFacts["interfaces"] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*([^\s:]+):\s*(.+)$/.exec(line);
    if (match === null) return [];
    const cells = (match[2] ?? "").trim().split(/\s+/).map(Number);
    const at = (index: number) => cells[index] ?? 0;
    return [{ name: match[1] ?? "", rxErrors: at(2), rxDropped: at(3), txErrors: at(10), txDropped: at(11) }];
  });
}
