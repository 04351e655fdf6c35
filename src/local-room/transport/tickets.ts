import { randomBytes } from "node:crypto";
import { ticketLifetimeMs } from "../limits.ts";

/** Socket addresses work once and expire. Not from the seeded source: on a network they must not be guessable. */
export interface Tickets {
  issue(): string;
  redeem(ticket: string | null): boolean;
}

export function createTickets(deps: { nowMs: () => number }): Tickets {
  const issued = new Map<string, number>();
  return {
    issue() {
      const ticket = randomBytes(18).toString("base64url");
      issued.set(ticket, deps.nowMs() + ticketLifetimeMs);
      return ticket;
    },
    redeem(ticket) {
      const expiresAtMs = ticket === null ? undefined : issued.get(ticket);
      if (ticket === null || expiresAtMs === undefined) return false;
      issued.delete(ticket);
      return deps.nowMs() <= expiresAtMs;
    },
  };
}
