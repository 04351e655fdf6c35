import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import type { LogSignal } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { describeDisk, isDatabaseServer, isFull, isUnder, outOfInodes, rootDisk, storageOf } from "../storage.ts";
import { told, toldByCallers } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * A container cannot write. "No space left on device" has many owners: bytes or inodes, a volume, a tmpfs or the host,
 * shared memory and watches (which are other causes). The host's own `df` says which one it is.
 */
export const diskFull: Rule = {
  name: "disk-full",
  causes: [
    "pg-volume-full",
    "pg-wal-full-panic",
    "replication-slot-retains-wal",
    "inode-exhausted",
    "deleted-open-file",
    "tmp-tmpfs-full",
    "unknown-cause",
  ],
  needs: ["docker-inspect", "docker-logs", "host-disk"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    const said = complaint(world, view);
    if (said === null) return [];
    return (
      slotRetains(world, view, said) ??
      walPanic(world, view, said) ??
      deletedFile(world, view, said) ??
      noInodes(world, view, said) ??
      fullVolume(world, view, said) ??
      fullTmpfs(world, view, said) ??
      unseenVolume(world, view, said) ??
      []
    );
  },
};

interface Complaint {
  lines: LogSignal[];
  facts: Fact[];
  witnesses: string[];
  onsetMs: number | null;
}

/** It says that it cannot write, or its callers were told so. A line about a peer's disk is no complaint of one's own. */
export function complaint(world: World, view: ContainerView): Complaint | null {
  const server = isDatabaseServer(view);
  const own = told(world, view, ["disk-full", "inode-or-quota-full", "peer-disk-full"], (signal) =>
    isOwnDisk(view, signal, server),
  );
  const callers = toldByCallers(world, view, ["peer-disk-full"]);
  const lines = [...(own?.signals ?? []), ...callers.flatMap((caller) => caller.told.signals)];
  if (lines.length === 0) return null;
  return {
    lines,
    facts: [...(own?.facts ?? []), ...callers.flatMap((caller) => caller.told.facts)],
    witnesses: [...(own === null ? [] : ["docker-logs"]), ...(callers.length === 0 ? [] : ["caller-logs"])],
    onsetMs: lines[0]?.line.atMs ?? null,
  };
}

function isOwnDisk(view: ContainerView, signal: LogSignal, server: boolean): boolean {
  const { text } = signal.line;
  if (/shared memory segment|\/dev\/shm|inotify|file watchers/i.test(text)) return false;
  const alsoPeer = view.signals.some((other) => other.kind === "peer-disk-full" && other.line === signal.line);
  return server || (!alsoPeer && signal.kind !== "peer-disk-full");
}

function finding(
  view: ContainerView,
  said: Complaint,
  draft: Pick<Finding, "cause" | "summary" | "weight" | "facts" | "witnesses"> & Partial<Finding>,
): Finding {
  return faultAt(view, {
    onsetMs: said.onsetMs,
    ...draft,
    facts: [...draft.facts, ...said.facts],
    witnesses: [...draft.witnesses, ...said.witnesses],
  });
}

/** Old write-ahead log kept for a slot that nobody reads: segments are added and none goes. */
function slotRetains(world: World, view: ContainerView, said: Complaint): Finding[] | null {
  const logs = view.logs;
  if (logs === null || !isDatabaseServer(view)) return null;
  const slot = view.signals.findLast((signal) => signal.kind === "server-replication-slot");
  const walsenders = view.top?.value.some((row) => /walsender/.test(row.args)) ?? false;
  const checkpoints = logs.value.lines.flatMap((line) => {
    const match = /(\d+) WAL file\(s\) added, (\d+) removed, (\d+) recycled/.exec(line.text);
    return match === null ? [] : [{ line, added: Number(match[1]), freed: Number(match[2]) + Number(match[3]) }];
  });
  const growing = checkpoints.filter((checkpoint) => checkpoint.freed === 0 && checkpoint.added > 0);
  if (slot === undefined || walsenders) return null;
  const facts = [cite(logs, slot.line.text, view.name)];
  const last = growing.at(-1);
  if (last !== undefined) facts.push(cite(logs, last.line.text, view.name));
  return [
    finding(view, said, {
      cause: "replication-slot-retains-wal",
      summary: `${view.name} has no room left because a replication slot that nobody reads from keeps its old write-ahead log`,
      facts: [...facts, ...volumeFacts(world, view)],
      witnesses: ["docker-top"],
      weight: last === undefined ? weight.strong : weight.proven,
      advice: [
        "Have the replica read on, or drop the slot by hand once it is certain that nothing needs it (pg_replication_slots shows it inactive); set max_slot_wal_keep_size.",
      ],
    }),
  ];
}

function walPanic(world: World, view: ContainerView, said: Complaint): Finding[] | null {
  const panic = told(world, view, ["server-panic", "disk-full"], (signal) =>
    /PANIC:.{0,200}(?:No space left|pg_wal|xlog)|pg_wal\/.{0,200}No space left/.test(signal.line.text),
  );
  if (panic === null) return null;
  return [
    finding(view, said, {
      cause: "pg-wal-full-panic",
      summary: `${view.name} has no room for its write-ahead log and gave up with a PANIC; nothing in its data folder may be deleted, and a restart only fails again`,
      facts: [...panic.facts, ...volumeFacts(world, view)],
      witnesses: ["docker-logs", ...(fullVolumes(world, view).length > 0 ? ["host-disk"] : [])],
      weight: weight.proven,
      advice: [
        "Grow the volume under the data folder, then start the database and let it recover. Never delete anything in pg_wal.",
      ],
    }),
  ];
}

function fullVolumes(world: World, view: ContainerView) {
  return storageOf(hostOf(world, view.host), view).filter(({ disk, own }) => own && disk !== null && isFull(disk));
}

function volumeFacts(world: World, view: ContainerView): Fact[] {
  const disk = hostOf(world, view.host)?.disk;
  return disk == null
    ? []
    : fullVolumes(world, view).map((place) =>
        cite(disk, describeDisk(place.disk as NonNullable<typeof place.disk>), view.name),
      );
}

function fullVolume(world: World, view: ContainerView, said: Complaint): Finding[] | null {
  const full = fullVolumes(world, view)[0];
  const disk = hostOf(world, view.host)?.disk;
  if (full === undefined || disk == null || full.disk === null) return null;
  const { mount } = full;
  const server = isDatabaseServer(view);
  const tmpfs = full.disk.type === "tmpfs" || full.disk.device === "tmpfs";
  const cause = server ? "pg-volume-full" : tmpfs && isScratch(mount.destination) ? "tmp-tmpfs-full" : "unknown-cause";
  return [
    finding(view, said, {
      cause,
      summary: `The volume under ${mount.destination} of ${view.name} is full, so it cannot write; the container itself is fine and a restart frees nothing`,
      facts: [cite(disk, describeDisk(full.disk), view.name)],
      witnesses: ["host-disk"],
      weight: weight.proven,
      advice: [
        `Grow the volume under ${mount.destination} of ${view.name}, or move or delete data by the program's own means.`,
      ],
    }),
  ];
}

function noInodes(world: World, view: ContainerView, said: Complaint): Finding[] | null {
  const host = hostOf(world, view.host);
  const disk = host?.disk;
  const places = storageOf(host, view).filter((place) => place.disk !== null && outOfInodes(place.disk));
  const root = rootDisk(host);
  const used = places.find((place) => place.own)?.disk ?? (root !== null && outOfInodes(root) ? root : null);
  if (disk == null || used === null || isFull(used)) return null;
  const ofHost = used === root;
  return [
    {
      ...finding(view, said, {
        cause: "inode-exhausted",
        summary: `The file system ${ofHost ? `of the host ${view.host}` : `under a volume of ${view.name}`} has no inodes left although bytes are free: too many small files`,
        facts: [cite(disk, describeDisk(used), ofHost ? null : view.name)],
        witnesses: ["host-disk"],
        weight: weight.proven,
        advice: [
          `Delete small files that are not needed on ${used.target}, or make that file system anew with more inodes.`,
        ],
      }),
      ...(ofHost ? { container: null, containerId: null } : {}),
    },
  ];
}

/** A scratch folder in memory: only the container sees how full it is, so the line and the configuration decide. */
function fullTmpfs(world: World, view: ContainerView, said: Complaint): Finding[] | null {
  const seen = view.inspect;
  const host = hostOf(world, view.host);
  if (seen === null) return null;
  const folders = [
    ...Object.entries(seen.value.tmpfs).map(([target, options]) => ({ target, options })),
    ...seen.value.mounts
      .filter((mount) => mount.type === "tmpfs")
      .map((mount) => ({ target: mount.destination, options: "tmpfs" })),
  ].filter(({ target }) => target !== "/dev/shm" && target !== "/run" && target !== "/run/lock");
  const named = folders.find(({ target }) =>
    said.lines.some((signal) => pathsIn(signal.line.text).some((path) => isUnder(path, target))),
  );
  const anyPath = said.lines.some((signal) => pathsIn(signal.line.text).length > 0);
  const root = rootDisk(host);
  const onlyOne = !anyPath && folders.length === 1 && root !== null && !isFull(root) ? folders[0] : undefined;
  const folder = named ?? onlyOne;
  if (folder === undefined) return null;
  // A server's files on a tmpfs are its data: a restart would not make room, it would lose them.
  if (isDatabaseServer(view) && !isScratch(folder.target)) return [dataInMemory(view, said, seen, folder)];
  if (isDatabaseServer(view) && named === undefined) return null;
  if (serverKind(world, view) !== null && !isScratch(folder.target)) return null;
  const facts = [cite(seen, `HostConfig.Tmpfs ${folder.target}: ${folder.options}`, view.name)];
  if (host?.disk != null && root !== null) facts.push(cite(host.disk, describeDisk(root), null));
  if (hasNoInodes(folder.options, said)) return [inodesOfTmpfs(view, said, folder.target, facts)];
  return [
    finding(view, said, {
      cause: "tmp-tmpfs-full",
      summary: `The tmpfs at ${folder.target} of ${view.name} is full; the host's disk is not`,
      facts,
      witnesses: ["docker-inspect"],
      weight: named === undefined ? weight.told : weight.strong,
      advice: [
        `Give the tmpfs at ${folder.target} a larger size, or have the program clean up behind itself: a restart empties it once.`,
      ],
    }),
  ];
}

/** A full tmpfs still lets a file be created and refuses to write into it; creating fails for want of an inode. */
function hasNoInodes(options: string, said: Complaint): boolean {
  const creating = /\b(?:f?open|creat|create|mkdir|mknod|symlink|rb_sysopen|FileNotFoundException)\b/i;
  return /\bnr_inodes=/.test(options) && said.lines.some((signal) => creating.test(signal.line.text));
}

function inodesOfTmpfs(view: ContainerView, said: Complaint, target: string, facts: Fact[]): Finding {
  return finding(view, said, {
    cause: "inode-exhausted",
    summary: `The tmpfs at ${target} of ${view.name} has a cap on its number of files, and new files are refused there`,
    facts,
    witnesses: ["docker-inspect"],
    weight: weight.strong,
    advice: [`Raise nr_inodes of the tmpfs at ${target}, or have the program delete small files it no longer needs.`],
  });
}

function dataInMemory(
  view: ContainerView,
  said: Complaint,
  seen: NonNullable<ContainerView["inspect"]>,
  { target, options }: { target: string; options: string },
): Finding {
  return finding(view, said, {
    cause: "pg-volume-full",
    summary: `The tmpfs at ${target}, which holds the data of ${view.name}, is full; a restart would lose what is in it`,
    facts: [cite(seen, `HostConfig.Tmpfs ${target}: ${options}`, view.name)],
    witnesses: ["docker-inspect"],
    weight: weight.strong,
    advice: [
      `Do not restart ${view.name}: its data is in memory. Dump what matters, then give it a volume on disk, or a larger tmpfs.`,
    ],
  });
}

/** Folders whose files nobody misses after a restart. */
function isScratch(folder: string): boolean {
  return /^\/(tmp|run|var\/tmp|var\/cache|cache|scratch)(\/|$)/.test(folder);
}

/** Absolute paths that a line names. */
function pathsIn(text: string): string[] {
  return [...text.matchAll(/(?:^|[\s"'`(=[:,])(\/[A-Za-z0-9._/-]{1,255})/g)].map((match) => match[1] ?? "");
}

/** A deleted file that is still open holds the space: listing files does not find it, the kernel's descriptors do. */
function deletedFile(world: World, view: ContainerView, said: Complaint): Finding[] | null {
  const host = hostOf(world, view.host);
  const disk = host?.disk;
  const root = rootDisk(host);
  const places = storageOf(host, view).filter((place) => place.disk !== null && isFull(place.disk));
  const full = places.find((place) => place.own)?.disk ?? (root !== null && isFull(root) ? root : null);
  if (disk == null || full === null) return null;
  for (const holder of world.containers) {
    const process = holder.process;
    if (holder.host !== view.host || process === null) continue;
    const big = (process.value.deletedFiles ?? []).find(
      (file) => (file.sizeBytes ?? 0) >= full.sizeBytes * 0.2 && liesOn(world, holder, file.path, full.target),
    );
    if (big === undefined || big.sizeBytes === null) continue;
    const shown =
      holder === view
        ? {}
        : {
            shownBy: view.ref,
            link: { proof: "shared-resource" as const, facts: [cite(disk, describeDisk(full), null)] },
          };
    return [
      finding(holder, said, {
        cause: "deleted-open-file",
        summary: `${holder.name} holds the deleted file ${big.path} open, which still takes ${big.sizeBytes} bytes of the full file system ${full.target}`,
        facts: [
          cite(process, `open and deleted: ${big.path}, ${big.sizeBytes} bytes`, holder.name),
          cite(disk, describeDisk(full), holder.name),
        ],
        witnesses: ["process-facts", "host-disk"],
        weight: weight.proven,
        advice: [`Have ${holder.name} reopen its log after it is rotated; deleting a file that is open frees nothing.`],
        ...shown,
      }),
    ];
  }
  return null;
}

/** Whether a path inside a container lies on the host's file system mounted at `target`. */
function liesOn(world: World, holder: ContainerView, path: string, target: string): boolean {
  const host = hostOf(world, holder.host);
  const inside = storageOf(host, holder).find((place) => isUnder(path, place.mount.destination));
  return (inside === undefined ? rootDisk(host) : inside.disk)?.target === target;
}

/** The host's list shows no full file system, or was not read: the server's own words are all there is. */
function unseenVolume(world: World, view: ContainerView, said: Complaint): Finding[] | null {
  const host = hostOf(world, view.host);
  const seen = view.inspect;
  const disk = host?.disk;
  const root = rootDisk(host);
  if (seen === null || !isDatabaseServer(view) || (root !== null && isFull(root))) return null;
  const clear = said.lines.some((signal) =>
    /could not (?:extend|write|create)|No space left|The table .* is full|ENOSPC/.test(signal.line.text),
  );
  if (!clear || seen.value.mounts.length === 0 || disk == null) return null;
  const facts = root === null ? [] : [cite(disk, describeDisk(root), null)];
  return [
    finding(view, said, {
      cause: "pg-volume-full",
      summary: `${view.name} cannot extend its files: there is no room on the volume of its data; the host's own disk is not full`,
      facts: [
        cite(seen, `Mounts: ${seen.value.mounts.map((mount) => mount.destination).join(", ")}`, view.name),
        ...facts,
      ],
      witnesses: ["docker-inspect"],
      weight: root === null ? weight.hinted : weight.told,
      advice: [`Grow the volume that holds the data of ${view.name}; a restart frees nothing.`],
    }),
  ];
}
