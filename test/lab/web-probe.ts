import { HTTP_TIMEOUT_MS, SERVICE_READY_TIMEOUT_MS } from "./limits.ts";
import { eventually } from "./processes.ts";

/** The HTTP status a URL answers with, or null when nothing answers. */
export async function status(url: string): Promise<number | null> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
      headers: { connection: "close" },
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return null;
  }
}

/** Waits until a URL answers with this status; the error says what it answered last. */
export async function untilStatus(url: string, expected: number): Promise<void> {
  let last: number | null = null;
  const look = async () => {
    last = await status(url);
    return last === expected;
  };
  if (await eventually(look, SERVICE_READY_TIMEOUT_MS)) return;
  throw new Error(`${url} answers ${last ?? "nothing"}, not ${expected}`);
}
