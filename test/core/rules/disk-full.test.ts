import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { Reading, SourceValues } from "../../../src/core/evidence.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const mib = 1024 * 1024;
type Disk = SourceValues["host-disk"][number];

function disk(target: string, more: Partial<Disk> = {}): Disk {
  return {
    device: "/dev/vda1",
    target,
    type: "ext4",
    sizeBytes: 10_000 * mib,
    usedBytes: 4_000 * mib,
    availableBytes: 6_000 * mib,
    inodesTotal: 1_000_000,
    inodesUsed: 1_000,
    inodesFree: 999_000,
    ...more,
  };
}

const full = { sizeBytes: 100 * mib, usedBytes: 100 * mib, availableBytes: 0 };
const volume = "/var/lib/docker/volumes/data/_data";

/** The readings of a scene with the host's file systems beside them. */
function withDisks(
  host: SceneHost,
  disks: Disk[] | null,
  usage: SourceValues["docker-usage"] | null = null,
): Reading[] {
  const readings = readingsOf(host);
  const about = { host: "h1", containerId: null, atMs: askedAtMs, sha256: "0".repeat(64) };
  if (disks !== null)
    readings.push({ ...about, source: "host-disk", read: "df", outcome: { status: "ok", value: disks } } as Reading);
  if (usage !== null)
    readings.push({
      ...about,
      source: "docker-usage",
      read: "usage",
      outcome: { status: "ok", value: usage },
    } as Reading);
  return readings;
}

function database(logs: string[], more: Record<string, unknown> = {}): SceneHost {
  return {
    containers: [
      {
        name: "web",
        inspect: { env: [{ name: "DATABASE_URL", value: "postgres://app:x@db:5432/app", digest: "x" }] },
        logs: ['psycopg2.errors.DiskFull: could not extend file "base/16384/16397": No space left on device'],
      },
      {
        name: "db",
        inspect: {
          image: "postgres:15",
          mounts: [
            { type: "volume", name: "data", source: volume, destination: "/var/lib/postgresql/data", readWrite: true },
          ],
          ...more,
        },
        logs,
      },
    ],
  };
}

const extend = 'ERROR:  could not extend file "base/16384/16397": No space left on device';
const ask = (readings: Reading[], service = "web") => diagnose(questionAbout(service), readings).diagnosis;

describe("disk-full", () => {
  it("blames the database whose own volume is full, not the service that was told so", () => {
    const said = ask(withDisks(database([extend]), [disk("/"), disk(volume, full)]));
    expect(said.rootCause).toMatchObject({ cause: "pg-volume-full", container: "db", confidence: "confirmed" });
  });

  it("says inodes where bytes are free", () => {
    const none = disk(volume, { inodesTotal: 400, inodesUsed: 400, inodesFree: 0 });
    expect(ask(withDisks(database([extend]), [disk("/"), none])).rootCause?.cause).toBe("inode-exhausted");
  });

  it("keeps its hands off a database that gave up for want of room for its log", () => {
    const panic = 'PANIC:  could not write to file "pg_wal/xlogtemp.91": No space left on device';
    const scene = database([extend, panic]);
    const said = ask(withDisks(scene, [disk("/"), disk(volume, full)]));
    expect(said.rootCause?.cause).toBe("pg-wal-full-panic");
    expect(said.handsOff).not.toBeNull();
  });

  it("sees the slot that nobody reads from behind the full volume", () => {
    const logs = [
      "LOG:  logical decoding found consistent point at 0/1A2B3C8",
      "LOG:  checkpoint complete: wrote 5 buffers (0.0%); 3 WAL file(s) added, 0 removed, 0 recycled; write=0.1 s",
      extend,
    ];
    const said = ask(withDisks(database(logs), [disk("/"), disk(volume, full)]));
    expect(said.rootCause).toMatchObject({ cause: "replication-slot-retains-wal", container: "db" });
  });

  it("is silent about shared memory, watches and a peer's disk", () => {
    const lines = [
      'ERROR:  could not resize shared memory segment "/PostgreSQL.1" to 8388608 bytes: No space left on device',
    ];
    const said = ask(withDisks(database(lines), [disk("/"), disk("/other", full)]), "db");
    expect(said.rootCause?.cause ?? null).not.toBe("pg-volume-full");
  });

  it("accuses no volume while the host's file systems were not read", () => {
    expect(ask(withDisks(database([extend]), null)).rootCause).toBeNull();
  });

  it("accuses the host, not the first container that failed, when the engine's own disk is full", () => {
    const said = ask(withDisks(database([extend]), [disk("/", full)]));
    expect(said.rootCause).toMatchObject({ cause: "host-root-full", container: null });
  });

  it("names images and build cache when most of the full disk could be given back", () => {
    const usage = { unusedImageBytes: 20 * mib, buildCacheBytes: 50 * mib };
    expect(ask(withDisks(database([extend]), [disk("/", full)], usage)).rootCause?.cause).toBe("build-cache-full");
  });

  it("names the container whose unbounded log filled the host", () => {
    const scene = database([extend]);
    const line = (at: number) => `${new Date(askedAtMs - 10_000 + at).toISOString()} debug: tick ${at}`;
    scene.containers.push({ name: "batch", logs: Array.from({ length: 400 }, (_, at) => line(at)) });
    const said = ask(withDisks(scene, [disk("/", full)]));
    expect(said.rootCause).toMatchObject({ cause: "json-log-fills-host", container: "batch" });
  });

  it("blames who holds a deleted file open, and would restart only that one", () => {
    const scene = database([extend]);
    scene.containers.push({
      name: "batch",
      inspect: { mounts: [{ type: "volume", name: "data", source: volume, destination: "/srv", readWrite: true }] },
      other: {
        "process-facts": {
          pid: 1_002,
          listeners: [],
          connections: [],
          listenOverflows: 0,
          listenDrops: 0,
          openFiles: 5,
          openFilesLimit: 1024,
          deletedFiles: [{ path: "/srv/debug.log", sizeBytes: 90 * mib }],
          interfaces: [],
          state: "S",
          waitChannel: null,
          threads: 1,
          tcpRetransmits: 0,
          tcpOutSegments: 0,
        },
      },
    });
    const said = ask(withDisks(scene, [disk("/"), disk(volume, full)]));
    expect(said.rootCause).toMatchObject({
      cause: "deleted-open-file",
      container: "batch",
      containerId: idOf("batch"),
    });
  });

  it("tells a full tmpfs by the path the program names", () => {
    const scene: SceneHost = {
      containers: [
        {
          name: "web",
          inspect: { tmpfs: { "/tmp": "rw,size=8m" } },
          logs: ["OSError: [Errno 28] No space left on device: '/tmp/upload.bin'", '"GET /work HTTP/1.1" 500 -'],
        },
      ],
    };
    expect(ask(withDisks(scene, [disk("/")])).rootCause?.cause).toBe("tmp-tmpfs-full");
    scene.containers[0] = { ...scene.containers[0], name: "web", inspect: {} };
    expect(ask(withDisks(scene, [disk("/")])).rootCause).toBeNull();
  });

  it.each([
    ["size=20m,nr_inodes=40", "fopen(/spool/z): Failed to open stream: No space left on device", "inode-exhausted"],
    ["size=20m,nr_inodes=40", "write /spool/z: no space left on device", "tmp-tmpfs-full"],
    ["size=20m", "fopen(/spool/z): Failed to open stream: No space left on device", "tmp-tmpfs-full"],
  ])("tells a tmpfs without inodes from one without bytes (%s, %s)", (options, line, cause) => {
    const scene: SceneHost = {
      containers: [
        { name: "web", inspect: { tmpfs: { "/spool": options } }, logs: [line, '"GET /work HTTP/1.1" 500 -'] },
      ],
    };
    const said = ask(withDisks(scene, [disk("/")]));
    expect(said.rootCause).toMatchObject({ cause, container: "web" });
  });
});

it("takes a full tmpfs under a database for its data, and never offers the restart that would lose it", () => {
  const said = 'ERROR:  could not extend file "base/16385/16393": No space left on device';
  const scene: SceneHost = {
    containers: [
      {
        name: "web",
        inspect: { env: [{ name: "DATABASE_URL", value: "postgres://app:x@db:5432/app", digest: "x" }] },
        logs: [`psycopg2.errors.DiskFull: ${said}`],
      },
      { name: "db", inspect: { image: "postgres:15", tmpfs: { "/vol": "size=52m" } }, logs: [said] },
    ],
  };
  const { diagnosis } = diagnose(questionAbout("web"), withDisks(scene, [disk("/")]));
  expect(diagnosis.rootCause).toMatchObject({ cause: "pg-volume-full", container: "db" });
});
