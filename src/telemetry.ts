import { pino } from "pino";
import pretty from "pino-pretty";
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { LogLevel } from "./config.ts";
import type { Log, Metrics } from "./ports.ts";
import type { EdgeMetrics } from "./slack/ports.ts";

/** JSON lines on stderr, pretty on a terminal. Values of secret-looking fields never leave the process. */
export function createLog(level: LogLevel): Log {
  const redact = {
    paths: [
      "token",
      "*.token",
      "password",
      "*.password",
      "headers.authorization",
      "*.headers.authorization",
      "err.config",
      "err.request",
    ],
    censor: "[redacted]",
  };
  const options = { level, redact, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (process.stderr.isTTY === true) return pino(options, pretty({ destination: 2, colorize: true, sync: true }));
  return pino(options, pino.destination({ dest: 2, sync: true }));
}

export interface Telemetry {
  registry: Registry;
  room: Metrics;
  edge: EdgeMetrics;
}

/** Counters and timings under the prefix `room137_`, with the process's own beside them. */
export function createTelemetry(): Telemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const timers = new Map<string, Histogram>();
  const count = (name: string, labels: Record<string, string>) => {
    const known =
      counters.get(name) ??
      new Counter({
        name: `room137_${name}_total`,
        help: `Number of ${name.replaceAll("_", " ")}.`,
        labelNames: Object.keys(labels),
        registers: [registry],
      });
    counters.set(name, known);
    known.inc(labels);
  };
  const observe = (name: string, ms: number, labels: Record<string, string>) => {
    const buckets = [5, 10, 25, 50, 100, 250, 500, 1_000, 3_000, 10_000];
    const known =
      timers.get(name) ??
      new Histogram({
        name: `room137_${name}`,
        help: `Milliseconds of ${name.replaceAll("_", " ")}.`,
        labelNames: Object.keys(labels),
        buckets,
        registers: [registry],
      });
    timers.set(name, known);
    known.observe(labels, ms);
  };
  return { registry, room: { count }, edge: { count, observe } };
}
