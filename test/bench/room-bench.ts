import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import { asker, type IncidentRoom } from "../lab/incident-room.ts";
import { told } from "./figures.ts";

const channel = "C0INCIDENTS";
const question = "/why-500 web";
/** Long enough for everything of the last incident to be said: posts in one channel are a second apart. */
const settleMs = 4_500;

/** From the command being sent to the root cause being readable in the incident's thread, in the local room. */
export async function typedToRootCause(room: IncidentRoom, runs = 15): Promise<number[]> {
  const tookMs: number[] = [];
  const knownThreads = new Set<string>();
  for (let run = 0; run < runs + 2; run += 1) {
    const startMs = performance.now();
    const seen = room.service.localRoom?.waitForMessage((message) => isFreshRootCause(message, knownThreads));
    await room.service.localRoom?.people.command(asker, { channel, text: question });
    const message = await seen;
    if (run >= 2) tookMs.push(performance.now() - startMs);
    knownThreads.add(String(message?.["thread_ts"]));
    await sleep(settleMs);
  }
  return told("typed to root cause", tookMs);
}

function isFreshRootCause(message: JsonObject, knownThreads: Set<string>): boolean {
  const isReply = message["thread_ts"] !== undefined && message["thread_ts"] !== message["ts"];
  return isReply && !knownThreads.has(String(message["thread_ts"])) && String(message["text"]).includes("OOM-killed");
}

/** How long Slack waits for each ack while so many investigations run; two bursts, and at least 20 acks. */
export async function acks(room: IncidentRoom): Promise<{ at: number; tookMs: number[] }[]> {
  const results: { at: number; tookMs: number[] }[] = [];
  for (const at of [1, 10, 50]) {
    const tookMs: number[] = [];
    while (tookMs.length < Math.max(20, 2 * at)) {
      const burst = Array.from({ length: at }, async () => {
        const startMs = performance.now();
        await room.service.localRoom?.people.command(asker, { channel, text: question });
        tookMs.push(performance.now() - startMs);
      });
      await Promise.all(burst);
      const open = (await room.service.room.status(null)).openIncidents;
      for (const { incidentId } of open) await room.service.room.settled(incidentId);
    }
    results.push({ at, tookMs: told(`ack at ${at}`, tookMs) });
  }
  return results;
}
