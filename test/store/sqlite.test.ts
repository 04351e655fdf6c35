import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore } from "../../src/store/store.ts";
import { storeContract } from "./contract.ts";
import { note, opened } from "./contract-entries.ts";

const clock = { nowMs: () => 1 };

describe("a store in a file", () => {
  storeContract(async () => {
    const folder = mkdtempSync(join(tmpdir(), "room137-store-"));
    const path = join(folder, "data", "room137.db");
    return {
      open: (given) => openStore(`file:${path}`, { clock: given }),
      tamper: async (statement) => {
        const database = new DatabaseSync(path);
        database.exec(statement);
        database.close();
      },
      remove: async () => rmSync(folder, { recursive: true }),
    };
  });
});

describe("a file in particular", () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "room137-store-"));
    path = join(folder, "room137.db");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is refused at once where its directory cannot be made", async () => {
    await expect(openStore("file:/proc/nowhere/room137.db", { clock })).rejects.toThrow(/Opening the store in \/proc/);
  });

  test("is made with its directories, readable for its owner alone", async () => {
    const deep = join(folder, "a", "b", "room137.db");
    const store = await openStore(`file:${deep}`, { clock });
    await store.checkWritable();
    const modes = [join(folder, "a", "b"), deep, `${deep}-wal`].map((name) => statSync(name).mode & 0o777);
    expect(modes).toEqual([0o700, 0o600, 0o600]);
    await store.close();
  });

  test("moves a lease by the caller's clock", async () => {
    const store = await openStore("file::memory:", { clock });
    expect(await store.acquireLease("x", "one", 10_000, 1_000)).toBe(true);
    expect(await store.acquireLease("x", "two", 10_000, 10_999)).toBe(false);
    expect(await store.acquireLease("x", "two", 10_000, 11_000)).toBe(true);
    await store.close();
  });

  test("waits for another process that holds the write lock", async () => {
    const store = await openStore(`file:${path}`, { clock });
    const other = new DatabaseSync(path);
    other.exec("begin immediate");
    let appended = false;
    const append = store.append([opened("i1", "C1")]).then(() => {
      appended = true;
    });
    await nextTurn();
    expect(appended).toBe(false);
    other.exec("commit");
    await append;
    expect(await store.entries("i1")).toHaveLength(1);
    other.close();
    await store.close();
  });

  test("lets two processes append to one incident without losing or forking anything", async () => {
    const store = await openStore(`file:${path}`, { clock });
    await store.append([opened("i1", "C1")]);
    const children = [start("race"), start("race")];
    expect(await Promise.all(children.map(lastLine))).toEqual([{ done: true }, { done: true }]);
    const entries = await store.entries("i1");
    const authors = Map.groupBy(entries.slice(1), (entry) => (entry.body.kind === "note" ? entry.body.text : ""));
    expect([...authors.values()].map((list) => list.length)).toEqual([30, 30]);
    expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 61 });
    await store.close();
  });

  test.each([1, 4, 11, 26])("keeps a whole prefix when killed after acknowledgement %i", async (acknowledgements) => {
    const child = start("append");
    let acknowledged = 0;
    let count = 0;
    for await (const line of lines(child)) {
      acknowledged = line["seq"] as number;
      if (++count >= acknowledgements) child.kill("SIGKILL");
    }
    const store = await openStore(`file:${path}`, { clock });
    const seqs = (await store.entries("i1")).map((entry) => entry.seq);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1));
    expect(seqs.length).toBeGreaterThanOrEqual(acknowledged);
    expect(seqs.length % 2).toBe(1);
    expect(await store.unsent(1_000)).toHaveLength((seqs.length - 1) / 2);
    expect(await store.verifyAudit()).toMatchObject({
      ok: true,
      rows: seqs.length,
    });
    expect((await store.append([note("i1", seqs.length + 1, "goes on")])).appended).toBe(true);
    await store.close();
  });

  test("says so when the disk is full, and keeps what was written", async () => {
    const child = start("fill", { fileBlocks: 16_384 });
    let acknowledged = 0;
    let last: Record<string, unknown> = {};
    for await (const line of lines(child)) {
      last = line;
      acknowledged = Number(line["seq"] ?? acknowledged);
    }
    expect(last).toMatchObject({
      fault: "store-unavailable",
      next: expect.stringContaining("Free space"),
    });
    expect(acknowledged).toBeGreaterThan(1);
    const store = await openStore(`file:${path}`, { clock });
    expect(await store.entries("i1")).toHaveLength(acknowledged);
    expect(await store.verifyAudit()).toMatchObject({ ok: true });
    await store.close();
  });

  test("says so when the file may only be read", async () => {
    await (await openStore(`file:${path}`, { clock })).close();
    chmodSync(path, 0o444);
    chmodSync(folder, 0o555);
    if (process.getuid?.() === 0) chownSync(folder, nobody, nobody);
    const said = await lastLine(start("check", { unprivileged: true }));
    expect(said).toMatchObject({
      fault: "store-unavailable",
      next: expect.stringContaining("writable"),
    });
  });

  test("says so when it cannot be made", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    mkdirSync(join(folder, "directory"));
    for (const bad of [join(file, "room137.db"), join(folder, "directory")]) {
      const opening = openStore(`file:${bad}`, { clock });
      await expect(opening).rejects.toMatchObject({
        code: "store-unavailable",
        message: expect.stringContaining(bad),
      });
    }
  });

  test("leaves a file alone that is something else", async () => {
    const text = "not a database, but long enough to have a header of one hundred bytes. ".repeat(9);
    writeFileSync(path, text);
    await expect(openStore(`file:${path}`, { clock })).rejects.toMatchObject({
      code: "store-unavailable",
      next: expect.stringContaining("backup"),
    });
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("writes nothing more once its file was removed or replaced", async () => {
    const store = await openStore(`file:${path}`, { clock });
    await store.append([opened("i1", "C1")]);
    rmSync(path);
    await expect(store.append([note("i1", 2, "lost")])).rejects.toMatchObject({
      code: "store-unavailable",
      message: expect.stringContaining("removed or replaced"),
    });
    writeFileSync(path, "");
    await expect(store.checkWritable()).rejects.toMatchObject({
      code: "store-unavailable",
    });
    await store.close();
  });

  test.each(["", "mysql://x", "data/room137.db", "postgres://u:p@h:port:port/x"])(
    "refuses the address %j",
    async (url) => {
      await expect(openStore(url, { clock })).rejects.toMatchObject({
        code: "store-unavailable",
        message: expect.stringContaining("ROOM137_DATABASE_URL"),
      });
    },
  );

  const nobody = 65_534;

  function start(mode: string, options: { fileBlocks?: number; unprivileged?: boolean } = {}): ChildProcess {
    const script = new URL("./child.ts", import.meta.url).pathname;
    const size = options.fileBlocks === undefined ? "unlimited" : String(options.fileBlocks);
    const user = options.unprivileged && process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    // A limit on the size of files is a disk that is full, without needing a disk; blocks are of 512 bytes.
    const args = [
      "-c",
      'ulimit -f "$1"; shift; exec "$@"',
      "child",
      size,
      process.execPath,
      script,
      `file:${path}`,
      mode,
    ];
    return spawn("sh", args, {
      stdio: ["ignore", "pipe", "inherit"],
      ...user,
    });
  }
});

async function* lines(child: ChildProcess): AsyncGenerator<Record<string, unknown>> {
  if (child.stdout === null) return;
  for await (const line of createInterface(child.stdout)) yield JSON.parse(line);
}

async function lastLine(child: ChildProcess): Promise<unknown> {
  let last: unknown = null;
  for await (const line of lines(child)) last = line;
  return last;
}
