import type { Death } from "./death.ts";
import type { Fact } from "./evidence.ts";
import { limits } from "./limits.ts";
import type { LogLine } from "./readings.ts";
import { humanBytes } from "./rule.ts";
import { endedRuns, runMs } from "./runs.ts";
import { type ContainerView, cite } from "./world.ts";

/** How memory came to the limit before a kill, as far as something shows it. */
export interface Shape {
  kind: "leak" | "spike";
  /** What was seen, with its figures. */
  because: string;
  facts: Fact[];
  witness: string;
}

/**
 * A climb or a jump. Samples decide; without them only the log can: a program that served evenly and was killed again
 * after every restart leaks, one whose last line is a request that is otherwise hardly ever made met a request too big.
 * Null where neither shows, which is the usual case after a single kill.
 */
export function memoryShape(view: ContainerView, deaths: readonly Death[]): Shape | null {
  const last = deaths.at(-1) ?? null;
  if (last === null || last.atMs === null) return null;
  return sampledShape(view, last.atMs) ?? byRequests(view, deaths, last.atMs);
}

/** The same by the recorded samples alone. */
export function sampledShape(view: ContainerView, killedAtMs: number): Shape | null {
  const series = view.memory;
  if (series === null) return null;
  const startMs = runStart(view, killedAtMs);
  const points = series.value.points.filter(({ atMs }) => atMs >= (startMs ?? 0) && atMs <= killedAtMs);
  const limitBytes = series.value.limitBytes ?? view.inspect?.value.memoryLimitBytes ?? null;
  const first = points[0];
  const end = points.at(-1);
  if (first === undefined || end === undefined || limitBytes === null || points.length < limits.shapeSamples)
    return null;
  const steps = points.slice(1).map((point, at) => point.bytes - (points[at]?.bytes ?? 0));
  const rise = end.bytes - first.bytes;
  const steepest = Math.max(...steps);
  const growing = steps.filter((step) => step >= 0).length / steps.length;
  const [from, to] = [humanBytes(first.bytes), humanBytes(end.bytes)];
  const sampled = (text: string) => [
    cite(
      series,
      `${points.length} samples from ${from} to ${to}, limit ${humanBytes(limitBytes)}; steepest step ${humanBytes(Math.max(0, steepest))}${text}`,
      view.name,
    ),
  ];
  if (rise >= 0.3 * limitBytes && growing >= 0.7 && steepest <= 0.5 * rise)
    return {
      kind: "leak",
      because: `its memory climbed from ${from} to ${to} over ${points.length} samples`,
      facts: sampled(": a climb"),
      witness: "memory-series",
    };
  const jumped = steepest >= 0.6 * Math.max(rise, 0.3 * limitBytes);
  const flat = Math.abs(rise) <= 0.15 * limitBytes && end.bytes <= 0.6 * limitBytes;
  if (jumped || flat)
    return {
      kind: "spike",
      because: jumped
        ? `its memory jumped by ${humanBytes(steepest)} between two of ${points.length} samples`
        : `its memory was flat, from ${from} to ${to} over ${points.length} samples, and then met the limit at once`,
      facts: sampled(": flat, then a jump"),
      witness: "memory-series",
    };
  return null;
}

function byRequests(view: ContainerView, deaths: readonly Death[], killedAtMs: number): Shape | null {
  const logs = view.logs;
  if (logs === null) return null;
  const startMs = runStart(view, killedAtMs) ?? 0;
  const all = logs.value.lines
    .map((line) => ({ line, path: requestPath(line) }))
    .filter(({ line }) => (line.atMs ?? 0) <= killedAtMs);
  const run = all.filter(({ line, path }) => path !== null && (line.atMs ?? 0) >= startMs);
  const final = run.at(-1);
  if (final === undefined || run.length < limits.shapeRequests) return null;
  const times = (path: string | null) => all.filter((entry) => entry.path === path).length;
  const rare = run.filter(({ path }) => times(path) <= Math.max(1, deaths.length));
  const odd = rare.at(-1);
  // Other requests may have come while the big one was at work; one that is odd among many odd ones says nothing.
  if (
    odd !== undefined &&
    new Set(rare.map(({ path }) => path)).size === 1 &&
    run.slice(-limits.shapeRequests).includes(odd) &&
    run.length - rare.length >= limits.shapeRequests - 1
  )
    return {
      kind: "spike",
      because: `just before it had begun a request for ${odd.path}, which is otherwise not made`,
      facts: [cite(logs, odd.line.text, view.name)],
      witness: "docker-logs",
    };
  const served = endedRuns(view).filter(
    (ended) => deaths.some((death) => death.atMs === ended.endedAtMs) && (runMs(ended) ?? 0) >= limits.servingRunMs,
  );
  if (served.length < 2 || view.inspect === null) return null;
  return {
    kind: "leak",
    because: `it served evenly in each of ${served.length} runs and every run ended at the limit`,
    facts: [
      cite(logs, final.line.text, view.name),
      cite(view.inspect, `${served.length} runs that served, each ended by memory`, view.name),
    ],
    witness: "docker-logs",
  };
}

/** The path of a line that tells of a request, whatever its format; numbers and ids in it are taken as one. */
function requestPath(line: LogLine): string | null {
  const method =
    /\b(?:GET|POST|PUT|PATCH|DELETE)\b["']?[,:\s]{1,3}(?:"?(?:path|url|uri)"?[=:]\s?)?"?(\/[^\s"?,]{0,200})/g;
  // Two threads that write at once run two lines into one; only the last path surely ends where it should.
  const path = [...line.text.matchAll(method)].at(-1)?.[1];
  return path === undefined ? null : path.replace(/\/(?:\d+|[0-9a-f-]{16,})(?=\/|$)/g, "/:id");
}

function runStart(view: ContainerView, beforeMs: number): number | null {
  const started = view.events.findLast((event) => event.action === "start" && event.atMs <= beforeMs);
  return started?.atMs ?? view.inspect?.value.startedAtMs ?? null;
}
