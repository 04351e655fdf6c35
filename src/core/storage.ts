import type { DiskUsage, MountFacts } from "./readings.ts";
import { bytesText } from "./rule.ts";
import type { ContainerView, HostView } from "./world.ts";

/** A mount of a container with the host's file system below it, as far as the host's own list shows it. */
export interface Storage {
  mount: MountFacts;
  /** The file system it lies on; null when the host's list was not read or does not show it. */
  disk: DiskUsage | null;
  /** True when the file system is mounted for this mount alone, so that nobody else fills it. */
  own: boolean;
}

/** The container's volumes and folders with the file systems they lie on. */
export function storageOf(host: HostView | null, view: ContainerView): Storage[] {
  return (view.inspect?.value.mounts ?? [])
    .filter((mount) => mount.type !== "tmpfs")
    .map((mount) => {
      const disk = diskOf(host, mount.source);
      const root = rootDisk(host);
      return { mount, disk, own: disk !== null && disk.target !== root?.target && disk.target !== "/" };
    });
}

/** The file system of a path of the host: the longest mount point above it. */
export function diskOf(host: HostView | null, path: string): DiskUsage | null {
  return longest(host?.disk?.value ?? [], path);
}

/** The file system the engine keeps images, layers and logs on. */
export function rootDisk(host: HostView | null): DiskUsage | null {
  const rootDir = host?.engine?.value.rootDir ?? null;
  return rootDir === null ? null : diskOf(host, rootDir);
}

/** The host's mount that a path lies on, from its mount table. */
export function mountOf(
  host: HostView | null,
  path: string,
): { device: string; target: string; options: string } | null {
  return longest(host?.facts?.value.mounts ?? [], path);
}

function longest<T extends { target: string }>(rows: readonly T[], path: string): T | null {
  const above = rows.filter((row) => isUnder(path, row.target));
  return above.reduce<T | null>(
    (best, row) => (best === null || row.target.length >= best.target.length ? row : best),
    null,
  );
}

export function isUnder(path: string, folder: string): boolean {
  const base = folder === "/" ? "" : folder.replace(/\/$/, "");
  return path === base || path.startsWith(`${base}/`);
}

/** No room for another write. Root may keep a reserve (5 % on ext4), so what counts is what is available to others. */
export function isFull(disk: DiskUsage): boolean {
  return disk.availableBytes <= Math.min(disk.sizeBytes * 0.02, 64 * 1024 * 1024);
}

export function outOfInodes(disk: DiskUsage): boolean {
  const { inodesTotal, inodesFree } = disk;
  return inodesTotal !== null && inodesFree !== null && inodesTotal > 0 && inodesFree <= inodesTotal * 0.001;
}

export function describeDisk(disk: DiskUsage): string {
  const inodes =
    disk.inodesTotal === null ? "" : `, inodes ${disk.inodesUsed} of ${disk.inodesTotal} used, ${disk.inodesFree} free`;
  return `df ${disk.target} (${disk.device}): size ${bytesText(disk.sizeBytes)}, used ${bytesText(disk.usedBytes)}, available ${bytesText(disk.availableBytes)}${inodes}`;
}

/** A server whose data are worth more than its container. */
export function isDatabaseServer(view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return false;
  const words = [inspect.image, ...[...inspect.entrypoint, ...inspect.command].filter((word) => !word.includes("://"))];
  const names =
    /(^|[^a-z])(postgres|postgresql|postmaster|pgvector|postgis|timescale|mysqld?|mariadbd?|mongod?|mongodb)([^a-z]|$)/i;
  if (words.some((word) => names.test(word)) || inspect.env.some((variable) => variable.name === "PGDATA")) return true;
  const ports = [5432, 3306, 27017];
  return view.process?.value.listeners.some((socket) => ports.includes(socket.port)) ?? isServerByLog(view);
}

function isServerByLog(view: ContainerView): boolean {
  return view.signals.some(
    (signal) =>
      (signal.kind === "server-ready" || signal.kind === "server-panic" || signal.kind.startsWith("server-shutdown")) &&
      (signal.technology === "postgres" || signal.technology === "mysql"),
  );
}
