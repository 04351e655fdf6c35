import { pageDefault } from "../limits.ts";
import type { Room } from "../room.ts";
import { type Args, type Failure, fail, number, text } from "./method.ts";

/**
 * One page. Cursors are opaque; a page may be shorter than asked for, as Slack warns, so that nobody takes a short page
 * for the last one.
 */
export function page<T>(
  room: Room,
  args: Args,
  all: readonly T[],
  max: number,
): { items: T[]; next: string } | Failure {
  const start = startOf(text(args, "cursor"));
  if (start === null || start > all.length) return fail("invalid_cursor");
  const asked = number(args, "limit");
  if (asked !== null && asked < 0) return fail("invalid_limit");
  const limit = Math.max(1, Math.min(asked === null || asked === 0 ? pageDefault : Math.floor(asked), max));
  const more = all.length > start + limit;
  const size = more && limit > 2 && room.random.next() < 0.25 ? limit - 1 : limit;
  const end = Math.min(all.length, start + size);
  return {
    items: all.slice(start, end),
    next: end < all.length ? Buffer.from(`offset:${end}`).toString("base64") : "",
  };
}

function startOf(cursor: string | null): number | null {
  if (cursor === null) return 0;
  const match = /^offset:(\d+)$/.exec(Buffer.from(cursor, "base64").toString());
  return match ? Number(match[1]) : null;
}
