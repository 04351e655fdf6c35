import fc from "fast-check";
import { expect, it } from "vitest";
import { anyMessage, FC_RUNS } from "../slack/blocks/arbitrary.ts";
import { openRoom } from "./open-room.ts";

const channel = "C0INCIDENTS";
const quiet = { unfurl_links: "false", unfurl_media: "false" };
/** Messages on their way at the same time, so that ten thousand do not take ten thousand round trips. */
const AT_ONCE = 5;

it(`takes ${FC_RUNS} messages with any evidence, and none buzzes a phone`, { timeout: 900_000 }, async () => {
  const { room, call } = await openRoom();
  let taken = 0;
  const property = fc.asyncProperty(
    fc.array(anyMessage, { minLength: AT_ONCE, maxLength: AT_ONCE }),
    async (messages) => {
      const posted = await Promise.all(
        messages.map(({ text, blocks }) =>
          call("chat.postMessage", { channel, text, blocks: JSON.stringify(blocks), ...quiet }),
        ),
      );
      for (const answer of posted) expect(answer).toMatchObject({ ok: true });
      taken += posted.length;
      const { notifications, flags } = room.ledgers();
      expect({ notifications, flags }).toEqual({ notifications: [], flags: [] });
      await Promise.all(posted.map(({ ts }) => call("chat.delete", { channel, ts: String(ts) })));
      // A minute between two rounds, or the room remarks on the pace.
      await room.advance(60_000);
    },
  );
  try {
    await fc.assert(property, { numRuns: Math.ceil(FC_RUNS / AT_ONCE) });
    expect(taken).toBeGreaterThanOrEqual(FC_RUNS);
    expect(room.ledgers().lint).toEqual([]);
  } finally {
    await room.stop();
  }
});

it("hears a phone when there is one, with the same ledger", async () => {
  const { room, call } = await openRoom();
  await call("chat.postMessage", { channel, text: "<!here> web is down", ...quiet });
  expect(room.ledgers().notifications).toMatchObject([{ reason: "here", text: "here", pointer: "/text" }]);
  await room.stop();
});
