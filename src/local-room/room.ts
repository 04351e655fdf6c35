import type { RoomClock } from "./clock.ts";
import type { FaultBox } from "./faults.ts";
import type { ResponseUrls } from "./interact/response-urls.ts";
import type { Triggers } from "./interact/triggers.ts";
import type { Journal } from "./journal.ts";
import type { LedgerBook } from "./ledgers/book.ts";
import type { Manifest } from "./manifest.ts";
import type { Random } from "./random.ts";
import type { RateLimiter } from "./rate.ts";
import type { Delivery } from "./transport/delivery.ts";
import type { World } from "./world.ts";

/** What every part of the stand-in works on. Built once by server.ts and passed along. */
export interface Room {
  world: World;
  manifest: Manifest;
  clock: RoomClock;
  random: Random;
  journal: Journal;
  rate: RateLimiter;
  faults: FaultBox;
  ledgers: LedgerBook;
  triggers: Triggers;
  responseUrls: ResponseUrls;
  delivery: Delivery;
  access: AppAccess;
  /** Timestamp of the next message. */
  nextTs(): string;
  /** Address under which the bot reaches the room, without a final slash. */
  url(): string;
}

/** The app's credentials. `state` follows installation: uninstalled apps get `account_inactive`. */
export interface AppAccess {
  botToken: string;
  appToken: string;
  signingSecret: string;
  verificationToken: string;
  state: "installed" | "revoked" | "inactive";
}

/** Slack's ts: seconds with six decimals, unique in the workspace and strictly growing even on a frozen clock. */
export function createTsSource(clock: Pick<RoomClock, "nowMs">): () => string {
  let lastMicros = 0n;
  return () => {
    const nowMicros = BigInt(Math.floor(clock.nowMs())) * 1000n;
    lastMicros = nowMicros > lastMicros ? nowMicros : lastMicros + 1n;
    return `${lastMicros / 1_000_000n}.${String(lastMicros % 1_000_000n).padStart(6, "0")}`;
  };
}
