import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, type ConfigWorld, type HostConfig, parseHost, policyVersion } from "./config.ts";
import { longestSeries } from "./core/recorded.ts";
import { createHostDirectory, type ManagedHosts } from "./hosts/directory.ts";
import { createHostPerformer } from "./hosts/perform.ts";
import type { Announce, Clock, HostPerformer, HostReader, Log, Metrics, Scheduler, Store } from "./ports.ts";
import { announce } from "./render/announce.ts";
import { exporters } from "./render/exports.ts";
import type { ExecuteReads, Recorded } from "./room/investigate.ts";
import { createRecorder, type Recorder } from "./room/recorder.ts";
import { surveyHosts } from "./room/survey.ts";
import { createRoom, type Room } from "./room.ts";
import { parseEvent } from "./sources/docker-events.ts";
import { executeReads } from "./sources/gather.ts";
import { createPrometheus } from "./sources/prometheus.ts";
import { createRedactor, type Redactor } from "./sources/redact.ts";

export const systemClock: Clock = { nowMs: () => Date.now() };

/** The parts that both the terminal and the service are made of. */
export interface Parts {
  config: Config;
  hosts: ManagedHosts;
  executeReads: ExecuteReads;
  clock: Clock;
  /** Left out: the real ones. The drill's replay has its own. */
  performer?: HostPerformer;
  announce?: Announce;
  /** One host as a form gives it; problems instead when it may not be added. */
  parseHost?: (input: unknown) => HostConfig | string[];
  /** What another program recorded: Prometheus, where one is configured. */
  recorded?: Recorded;
}

export function assembleParts(config: Config): Parts {
  const clock = systemClock;
  const hosts = createHostDirectory({ hosts: config.hosts, clock });
  const redactor = redactorOf(config);
  const { prometheus } = config;
  return {
    ...(prometheus === null ? {} : { recorded: createPrometheus({ ...prometheus, clock, redactor }) }),
    config,
    hosts,
    clock,
    executeReads: (reads, readers) =>
      executeReads(reads, { reader: (host) => readerOf(readers, host) }, { clock, redactor }),
  };
}

export interface RoomNeeds {
  store: Store;
  world: ConfigWorld;
  log: Log;
  metrics: Metrics;
  version: string;
  recorded?: Recorded;
}

/** Follows every host's events and memory while the service runs; null where the configuration switches it off. */
export function assembleRecorder(parts: Parts, more: { store: Store; log: Log; owner: string }): Recorder | null {
  const { enabled, retentionMs } = parts.config.recorder;
  if (!enabled) return null;
  const redactor = redactorOf(parts.config);
  const parse = (line: string) => parseEvent(line, redactor.text);
  return createRecorder({ ...parts, ...more, scheduler: systemScheduler, parseEvent: parse, retentionMs });
}

export function assembleRoom(parts: Parts, more: RoomNeeds): Room {
  const { config, hosts, clock } = parts;
  return createRoom({
    performer: createHostPerformer({ hostConfig: (name) => hosts.config(name), clock }),
    announce,
    parseHost: (input) => parseHost(input, more.world),
    ...parts,
    ...more,
    ...bothRecorded(parts.recorded, more.recorded),
    scheduler: systemScheduler,
    policyVersion: policyVersion(config),
    exporters,
    guardrails: (names) => surveyHosts(parts, names),
    newId: speakableId,
  });
}

/** Of each container the longer course of memory: one's own recording starts anew with every installation. */
function bothRecorded(...given: (Recorded | undefined)[]): { recorded?: Recorded } {
  const all = given.filter((one) => one !== undefined);
  if (all.length === 0) return {};
  return {
    recorded: async (readings, nowMs) =>
      longestSeries((await Promise.all(all.map((one) => one(readings, nowMs)))).flat()),
  };
}

function redactorOf(config: Config): Redactor {
  return createRedactor({ patterns: config.redactionPatterns.map((pattern) => new RegExp(pattern, "gu")) });
}

const systemScheduler: Scheduler = {
  wait: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {}),
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};

/** Without the letters and digits that are mistaken for each other when read aloud. */
function speakableId(): string {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  return Array.from({ length: 6 }, () => letters[randomInt(letters.length)]).join("");
}

async function readerOf(readers: ReadonlyMap<string, HostReader>, host: string): Promise<HostReader> {
  const reader = readers.get(host);
  if (reader === undefined) throw new Error(`no reader for ${host}`);
  return reader;
}
