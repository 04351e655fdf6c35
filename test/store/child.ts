import { Fault } from "../../src/core/result.ts";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/store/store.ts";
import { note, opened } from "./contract-entries.ts";

/**
 * A process of its own for tests that need one: `child.ts <database url> <mode>`. Prints one line per thing done.
 * `append` appends until it is killed, `race` appends 30 entries to an incident that others append to as well, `fill`
 * writes megabytes until something is in the way, `check` opens the store and writes once.
 */
const [databaseUrl = "", mode = ""] = process.argv.slice(2);

try {
  const store = await openStore(databaseUrl, { clock: { nowMs: () => 1 } });
  if (mode === "append") await appendForever(store);
  if (mode === "race") await race(store);
  if (mode === "fill") await fill(store);
  if (mode === "check") await store.checkWritable();
  await store.close();
  say({ done: true });
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  say({ fault: error.code, message: error.message, next: error.next });
}

async function appendForever(store: Store): Promise<void> {
  await store.append([opened("i1", "C1")]);
  for (let seq = 2; ; seq += 2) {
    const key = `k${seq}`;
    const outbox = {
      key,
      incidentId: "i1",
      channel: "C1",
      lane: key,
      payload: "{}",
      queuedAtMs: 1,
    };
    await store.append([note("i1", seq, "first of two"), note("i1", seq + 1, "x".repeat(2_000))], [outbox]);
    say({ seq: seq + 1 });
  }
}

async function race(store: Store): Promise<void> {
  let seq = 2;
  for (let won = 0; won < 30; ) {
    const result = await store.append([note("i1", seq, `from ${process.pid}`)]);
    if (result.appended) won += 1;
    seq = result.appended ? seq + 1 : result.actualSeq + 1;
  }
}

async function fill(store: Store): Promise<void> {
  await store.append([opened("i1", "C1")]);
  for (let seq = 2; seq < 100; seq++) {
    await store.append([note("i1", seq, "x".repeat(1_000_000))]);
    say({ seq });
  }
}

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
