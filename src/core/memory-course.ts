import { causeFacts } from "./causes.ts";
import { lastDeath, memoryKills, rememberedDeaths } from "./death.ts";
import type { Conclusion } from "./diagnose.ts";
import type { Fact } from "./evidence.ts";
import { limits } from "./limits.ts";
import { sampledShape } from "./memory-shape.ts";
import type { MemorySeries } from "./readings.ts";
import { humanBytes } from "./rule.ts";
import { type ContainerView, cite, type Seen } from "./world.ts";

/** Memory of the accused container around its kill: what the thread draws. Times by the host's clock. */
export interface MemoryCourse {
  host: string;
  container: string;
  /** Thinned for a small picture: of each stretch its lowest and its highest sample. Oldest first. */
  points: { atMs: number; bytes: number }[];
  limitBytes: number | null;
  /** The start of the run that was killed, and the kill; null where neither is known. */
  startedAtMs: number | null;
  killedAtMs: number | null;
  shape: "leak" | "spike" | null;
  /** What is seen, with its figures; they stand in `facts`. */
  words: string;
}

/**
 * The course of memory behind an answer that is about memory, whether it is certain or only likely. Null for any other
 * answer, and where too little was sampled to be a course.
 */
export function memoryCourse({ world, diagnosis }: Conclusion): { course: MemoryCourse; facts: Fact[] } | null {
  const told = diagnosis.rootCause ?? diagnosis.suspects[0] ?? null;
  if (told === null || told.cause === null || causeFacts(told.cause).family !== "A") return null;
  const view = world.containers.find((one) => one.host === told.host && one.name === told.container) ?? null;
  const series = view?.memory ?? null;
  if (view === null || series === null) return null;
  const killedAtMs = killedAt(world, view);
  const startedAtMs = startedAt(view, killedAtMs);
  const points = around(series.value, startedAtMs, killedAtMs);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.atMs === first.atMs) return null;
  const limitBytes = series.value.limitBytes ?? view.inspect?.value.memoryLimitBytes ?? null;
  const shape = killedAtMs === null ? null : sampledShape(view, killedAtMs);
  const seen =
    shape === null ? plainly(series, points, limitBytes, view) : { words: shape.because, facts: shape.facts };
  const course: MemoryCourse = {
    host: view.host,
    container: view.name,
    points: thinned(points),
    limitBytes,
    startedAtMs,
    killedAtMs,
    shape: shape?.kind ?? null,
    words: seen.words,
  };
  return { course, facts: seen.facts };
}

function killedAt(world: Conclusion["world"], view: ContainerView): number | null {
  const deaths = [...rememberedDeaths(world, view), lastDeath(world, view)].filter(
    (death) =>
      death?.kind === "own-limit" ||
      death?.kind === "parent-limit" ||
      death?.kind === "host-memory" ||
      death?.kind === "memory-unproven",
  );
  const died = deaths.map((death) => death?.atMs ?? null).filter((atMs) => atMs !== null);
  const kills = memoryKills(world, view)
    .map((kill) => kill.atMs)
    .filter((atMs) => atMs !== null);
  const all = died.length > 0 ? died : kills;
  return all.length === 0 ? null : Math.max(...all);
}

function startedAt(view: ContainerView, killedAtMs: number | null): number | null {
  const untilMs = killedAtMs ?? Number.POSITIVE_INFINITY;
  const event = view.events.findLast((one) => one.action === "start" && one.atMs < untilMs);
  const atMs = event?.atMs ?? view.inspect?.value.startedAtMs ?? null;
  return atMs !== null && atMs < untilMs ? atMs : null;
}

/** The run that was killed and a quarter of its length on both sides; everything where either end is not known. */
function around(series: MemorySeries, startedAtMs: number | null, killedAtMs: number | null): MemorySeries["points"] {
  const points = series.points.toSorted((a, b) => a.atMs - b.atMs);
  if (startedAtMs === null || killedAtMs === null) return points;
  const besideMs = (killedAtMs - startedAtMs) / 4;
  return points.filter(({ atMs }) => atMs >= startedAtMs - besideMs && atMs <= killedAtMs + besideMs);
}

function plainly(
  series: Seen<MemorySeries>,
  points: MemorySeries["points"],
  limitBytes: number | null,
  view: ContainerView,
): { words: string; facts: Fact[] } {
  const sizes = points.map(({ bytes }) => bytes);
  const limit = limitBytes === null ? "no limit" : `limit ${humanBytes(limitBytes)}`;
  const words = `${points.length} samples, lowest ${humanBytes(Math.min(...sizes))}, highest ${humanBytes(Math.max(...sizes))}`;
  return { words, facts: [cite(series, `${words}, ${limit}`, view.name)] };
}

/** No peak and no dip is lost, however long the recording. */
function thinned(points: MemorySeries["points"]): MemorySeries["points"] {
  if (points.length <= limits.drawnPoints) return points;
  const length = Math.ceil(points.length / (limits.drawnPoints / 2));
  const stretches = Array.from({ length: Math.ceil(points.length / length) }, (_, at) =>
    points.slice(at * length, (at + 1) * length),
  );
  return stretches.flatMap((stretch) => {
    const ordered = stretch.toSorted((a, b) => a.bytes - b.bytes);
    return [...new Set([ordered[0], ordered.at(-1)])]
      .filter((point) => point !== undefined)
      .toSorted((a, b) => a.atMs - b.atMs);
  });
}
