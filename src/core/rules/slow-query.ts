import { complaintFacts, complaintsAbout, recentSignals, signalFacts } from "../complaints.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { processOf, type Session, sessionsOf, titleFact } from "../sessions.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/**
 * A query reads a whole table: the server's own log shows the same slow statement again and again, or a plan that scans;
 * or its sessions burn processor time on plain reads while nobody waits for a lock.
 */
export const slowQuery: Rule = {
  name: "slow-query",
  causes: ["pg-missing-index"],
  needs: ["docker-logs", "docker-top"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true || !["postgres", "mysql"].includes(serverKind(world, view) ?? ""))
      return [];
    const sessions = sessionsOf(view);
    if (sessions.some((session) => session.waiting) || isThrottled(view)) return [];
    const slow = recentSignals(world, view, ["server-slow-query"]).filter((signal) =>
      readsByCondition(signal.parts["query"] ?? ""),
    );
    const scans = view.signals.filter((signal) => /\bSeq Scan on\b/.test(signal.line.text));
    const busy = sessions.filter((session) => session.activity.startsWith("SELECT") && isBurning(world, view, session));
    const complaints = complaintsAbout(world, view, ["peer-timeout", "peer-statement-timeout"]);
    const same = repeated(slow.map((signal) => shapeOf(signal.parts["query"] ?? "")));
    const logged = same >= limits.sameSlowQuery || scans.length > 0;
    if (!logged && (busy.length === 0 || complaints.length === 0)) return [];
    const witnessed = busy.length > 0 || complaints.length > 0;
    // Between two of its runs no session is seen at it; that slowness is asked about and the log goes on says as much.
    const lastMs = slow.at(-1)?.line.atMs ?? null;
    const goesOn =
      world.target.symptom === "any" &&
      same >= limits.sameSlowQuery &&
      lastMs !== null &&
      hostNowMs(world, view.host) - lastMs < limits.slowQueryGoesOnMs;
    const facts: Fact[] = [
      ...signalFacts(view, [...slow.slice(-2), ...scans.slice(-1)]),
      ...busy.slice(0, 1).flatMap((session) => [...titleFact(view, session), ...burnFact(world, view, session)]),
      ...complaintFacts(complaints.slice(0, 2)),
    ];
    return [
      faultAt(view, {
        cause: "pg-missing-index",
        summary: `${view.name} answers a query by reading a whole table again and again; an index for its condition is missing`,
        facts,
        witnesses: [
          ...(logged ? ["docker-logs"] : []),
          ...(busy.length > 0 ? ["host-processes"] : []),
          ...(complaints.length > 0 ? ["docker-logs of callers"] : []),
        ],
        weight: logged ? (witnessed || goesOn ? weight.strong : weight.told) : weight.hinted,
        onsetMs: slow[0]?.line.atMs ?? null,
        advice: [
          `Look at the plan (EXPLAIN) of that query and add an index on the columns of its condition: CREATE INDEX CONCURRENTLY.`,
        ],
      }),
    ];
  },
};

/** A read with a condition; not a sleep, a dump, a change of schema or a maintenance task. */
function readsByCondition(query: string): boolean {
  return (
    /^\s*(SELECT|WITH|UPDATE|DELETE)\b/i.test(query) && /\b(WHERE|JOIN)\b/i.test(query) && !/pg_sleep/i.test(query)
  );
}

/** The statement without its values. */
function shapeOf(query: string): string {
  return query
    .replace(/'[^']*'/g, "?")
    .replace(/\b\d+\b/g, "?")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 120);
}

function repeated(shapes: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const shape of shapes) counts.set(shape, (counts.get(shape) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

function isBurning(world: World, view: ContainerView, session: Session): boolean {
  return /^R/.test(processOf(world, view, session).state ?? "");
}

function burnFact(world: World, view: ContainerView, session: Session): Fact[] {
  const seen = hostOf(world, view.host)?.processes;
  const row = processOf(world, view, session);
  return seen == null ? [] : [cite(seen, `pid ${row.pid} state ${row.state ?? "unknown"}: ${row.args}`, view.name)];
}

/** A server that its own processor cap slows down looks the same from its clients. */
function isThrottled(view: ContainerView): boolean {
  const cgroup = view.cgroup?.value;
  const periods = cgroup?.cpuPeriods ?? 0;
  return periods > 0 && (cgroup?.cpuThrottledPeriods ?? 0) / periods > limits.throttledShare;
}
