/**
 * The way to the server: JSON both ways under `/_twin/`, and one stream of changes.
 *
 * @typedef {import("../protocol.ts").ControlRefusal} ControlRefusal
 * @typedef {import("../protocol.ts").RoomChange} RoomChange
 */

/**
 * Reads. `body` is null where the server cannot be reached (status 0) or refuses.
 *
 * @template T
 * @param {string} path
 * @returns {Promise<{ status: number, body: T | null }>}
 */
export async function read(path) {
  try {
    const response = await fetch(`/_twin/${path}`, {
      headers: { accept: "application/json" },
      cache: "no-store",
    });
    return {
      status: response.status,
      body: response.ok ? await response.json() : null,
    };
  } catch {
    return { status: 0, body: null };
  }
}

/**
 * Sends. A server that cannot be reached answers like one that refuses, so that callers have one way to say no.
 *
 * @template {object} T
 * @param {string} path
 * @param {object} body
 * @returns {Promise<({ ok: true } & T) | ControlRefusal>}
 */
export async function send(path, body) {
  try {
    const response = await fetch(`/_twin/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (typeof answer?.ok === "boolean") return answer;
    return {
      ok: false,
      error: "bad_answer",
      message: `The local room answered ${response.status}. Nothing was done.`,
    };
  } catch {
    return {
      ok: false,
      error: "unreachable",
      message: "The local room does not answer. It may have stopped: look at the terminal it runs in, then try again.",
    };
  }
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8_000;

/**
 * Follows the room's changes and comes back by itself. `onState(true)` after every (re)connect: changes may have been
 * missed, so the caller asks for everything again.
 *
 * @param {{ actor(): string, onChange(change: RoomChange): void, onState(connected: boolean): void }} deps
 * @returns {{ restart(): void }}
 */
export function follow({ actor, onChange, onState }) {
  let retryMs = FIRST_RETRY_MS;
  /** @type {EventSource | null} */
  let source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function connect() {
    clearTimeout(timer);
    source?.close();
    const mine = new EventSource(`/_twin/stream?${new URLSearchParams(actor() && { actor: actor() })}`);
    source = mine;
    mine.onopen = () => {
      retryMs = FIRST_RETRY_MS;
      onState(true);
    };
    mine.onmessage = (event) => onChange(JSON.parse(event.data));
    mine.onerror = () => {
      if (source !== mine) return;
      mine.close();
      onState(false);
      timer = setTimeout(connect, retryMs);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    };
  }
  connect();
  return { restart: connect };
}
