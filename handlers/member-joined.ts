import type { Outgoing } from "../src/core/outgoing.ts";
import type { HandlerDeps } from "./asked.ts";
import { told } from "./help.ts";

/** One line, once per channel, when room137 itself was invited. */
export async function greet(channel: string, deps: HandlerDeps): Promise<void> {
  const { text, blocks } = told(
    "room137 is here. Type /why-500 <service> when something fails, /room137 help for more.",
  );
  const outgoing: Outgoing = { kind: "post", thread: null, text, blocks };
  const key = `greeting:${channel}`;
  const payload = JSON.stringify(outgoing);
  await deps.edge.store.enqueue([
    { key, incidentId: null, channel, lane: key, payload, queuedAtMs: deps.clock.nowMs() },
  ]);
}
