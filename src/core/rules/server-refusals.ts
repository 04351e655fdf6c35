import type { Cause } from "../causes.ts";
import { type Complaint, complaintFacts, complaintsAbout, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { SignalKind } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { type ContainerView, cite, type World } from "../world.ts";

interface Refusal {
  kinds: readonly SignalKind[];
  cause: Cause;
  redis: boolean | null;
  summary(name: string): string;
  advice(name: string): string;
}

const refusals: readonly Refusal[] = [
  {
    kinds: ["peer-read-only"],
    cause: "pg-read-only",
    redis: false,
    summary: (name) => `${name} only allows reading: it refuses every write with a read-only error`,
    advice: (name) =>
      `Find out why: default_transaction_read_only set for the server, the database or the role in ${name}, or clients that were sent to a standby.`,
  },
  {
    kinds: ["peer-read-only"],
    cause: "redis-readonly-replica",
    redis: true,
    summary: (name) => `${name} is a read-only replica and refuses writes`,
    advice: (name) =>
      `Send writes to the master, or, if ${name} should be the master, have a person run REPLICAOF NO ONE there.`,
  },
  {
    kinds: ["peer-locks-exhausted", "server-locks-exhausted"],
    cause: "pg-locks-exhausted",
    redis: false,
    summary: (name) => `The lock table of ${name} is full; its memory is fine`,
    advice: (name) =>
      `Raise max_locks_per_transaction in ${name} (needs its restart), or split the transaction that locks so many tables.`,
  },
  {
    kinds: ["peer-misconf", "server-save-failed"],
    cause: "redis-misconf",
    redis: true,
    summary: (name) => `${name} cannot write its dump to disk and therefore refuses writes (MISCONF)`,
    advice: (name) =>
      `Make the folder that ${name} dumps to writable and give it room; its log names the reason of the failed save.`,
  },
];

/** The server works and refuses one kind of request by a state or setting of its own; it says so to whoever asks. */
export const serverRefusals: Rule = {
  name: "server-refusals",
  causes: ["pg-read-only", "redis-readonly-replica", "pg-locks-exhausted", "redis-misconf"],
  needs: ["docker-logs"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true) return [];
    return refusals.flatMap((refusal) => refused(world, view, refusal) ?? []);
  },
};

function refused(world: World, view: ContainerView, refusal: Refusal): Finding | null {
  const kind = serverKind(world, view);
  const complaints = complaintsAbout(world, view, refusal.kinds);
  const redis =
    kind === "redis" || complaints.some((entry) => entry.signals.some((signal) => signal.technology === "redis"));
  if (refusal.redis !== null && redis !== refusal.redis) return null;
  // An index that its search server blocks, for its disk is nearly full, is a read-only state of another kind.
  if (refusal.cause === "pg-read-only" && kind !== "postgres" && !complaints.some(saidBySql)) return null;
  const own = kind === null ? [] : recentSignals(world, view, refusal.kinds);
  if (
    complaints.length === 0 &&
    !(
      own.length > 0 &&
      isRefusal(
        refusal,
        own.map((signal) => signal.kind),
      )
    )
  )
    return null;
  if (refusal.cause === "redis-misconf" && recentSignals(world, view, ["server-child-save-killed"]).length > 0)
    return null;
  const settings = settingsFact(view, refusal.cause);
  return faultAt(view, {
    cause: refusal.cause,
    summary: refusal.summary(view.name),
    facts: [...complaintFacts(complaints.slice(0, 2)), ...signalFacts(view, own.slice(-2)), ...settings],
    witnesses: [
      ...(complaints.length > 0 ? ["docker-logs of callers"] : []),
      ...(own.length > 0 ? ["docker-logs"] : []),
      ...(settings.length > 0 ? ["docker-inspect"] : []),
    ],
    onsetMs: null,
    weight: complaints.length > 0 ? weight.strong : weight.told,
    advice: [refusal.advice(view.name)],
  });
}

function saidBySql({ signals }: Complaint): boolean {
  return signals.some(({ technology }) => technology === "postgres" || technology === "mysql");
}

/** A failed save alone stops nobody unless clients are refused, so its own log counts only for the words sent to clients. */
function isRefusal(refusal: Refusal, kinds: readonly SignalKind[]): boolean {
  return refusal.cause !== "redis-misconf" || kinds.includes("server-save-failed");
}

function settingsFact(view: ContainerView, cause: Cause) {
  const wanted: Partial<Record<Cause, RegExp>> = {
    "pg-read-only": /(default_transaction_read_only|transaction_read_only)\s*=?\s*\w+/,
    "redis-readonly-replica": /--?(replicaof|slaveof)/,
    "pg-locks-exhausted": /max_locks_per_transaction\s*=\s*\d+/,
  };
  const words = view.inspect?.value.command.join(" ") ?? "";
  const found = wanted[cause]?.exec(words)?.[0];
  return found === undefined || view.inspect === null
    ? []
    : [cite(view.inspect, `Config.Cmd holds ${found}`, view.name)];
}
