import { afterEach, expect, it } from "vitest";
import { createRoomClock } from "../../src/local-room/clock.ts";
import type { Store } from "../../src/ports.ts";
import { openStore } from "../../src/store/store.ts";
import { messagesIn, type OpenEdge, openEdge, postRow, row, settle, startMs, until } from "./open-edge.ts";

const channel = "C0INCIDENTS";
let open: OpenEdge;
afterEach(() => open.close());

const texts = () => messagesIn(open, channel).map((message) => message.text);

it("the outbox leaves the store alone once it has stopped, though messages and edits are still in the air", async () => {
  const clock = createRoomClock({ frozenAtMs: startMs });
  const store = await openStore("file::memory:", { clock });
  const touched: string[] = [];
  let closed = false;
  const wrapStore = (inner: Store): Store =>
    new Proxy(inner, {
      get:
        (target, name: keyof Store) =>
        (...args: never[]) => {
          if (closed) touched.push(name);
          return (target[name] as (...all: never[]) => unknown)(...args);
        },
    });
  open = await openEdge({ clock, store, wrapStore });
  await open.edge.store.enqueue([postRow("i-1", "root", channel, null, "root", clock.nowMs())]);
  await until(clock, () => texts().length === 1);
  // One is refused for half a minute; the other waits its turn as long, in hand when the outbox stops.
  open.slack.inject({ kind: "rate-limited", method: "chat.postMessage", times: 1, retryAfterSeconds: 30 });
  await open.edge.store.enqueue(
    ["i-2", "i-3"].map((incident) => postRow(incident, "root", channel, null, incident, clock.nowMs())),
  );
  const edit = { kind: "update" as const, message: { key: "i-1:root" }, text: "edited", blocks: [] };
  await open.edge.store.enqueue([row("i-1", "edit", channel, edit, clock.nowMs())]);
  await open.stopEdge(1_500);
  closed = true;
  expect(open.log.lines.map(({ message }) => message)).toContain(
    "stopped with messages unsent; they go out after the next start",
  );
  const loggedSoFar = open.log.lines.length;
  await clock.advance(60_000);
  await settle(100);
  expect({ touched, logged: open.log.lines.slice(loggedSoFar) }).toEqual({ touched: [], logged: [] });
  closed = false;

  const { slack } = open;
  const config = {
    mode: "socket" as const,
    botToken: slack.botToken,
    appToken: slack.appToken,
    apiUrl: slack.apiUrl,
  };
  const next = await openEdge({ clock, store, edge: { config, owner: "next" } });
  await until(clock, () => texts().length === 3 && texts()[0] === "edited");
  await clock.advance(60_000);
  await settle();
  expect(texts().toSorted()).toEqual(["edited", "i-2", "i-3"]);
  await next.stopEdge();
  await store.close();
});
