import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { HostAction } from "../core/actions.ts";
import type { Reading } from "../core/evidence.ts";
import type { PlannedRead } from "../core/reads.ts";

/** One run of the lab, from the fault to the recovery: what every read answered before and after each step. */
export interface Recording {
  schemaVersion: 1;
  host: string;
  /** Where the recorded host was reached: probes of the recording name it. */
  address: string;
  stages: Stage[];
}

export interface Stage {
  /** The step that led here; null for the state the incident was found in. */
  step: HostAction | null;
  /** When the step was begun, or when the recording was. By our clock, epoch milliseconds. */
  atMs: number;
  /** Only what was asked for in this stage; anything else is as it was before. */
  readings: Record<string, Reading>;
}

const file = new URL("recording.json.gz", import.meta.url);

export function loadRecording(): Recording {
  return JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as Recording;
}

/** One answer a read has, under the key it is kept by. */
export interface Answer {
  key: string;
  containerId: string | null;
}

/**
 * What a read is answered by: one answer a container for the reads of many. Times in the arguments are left out, so that
 * the same question at another time finds the same answer.
 */
export function answersOf(read: PlannedRead): Answer[] {
  const { source, containerId } = read;
  const one = (...about: (string | number)[]): Answer[] => [
    { key: [source, containerId ?? "-", ...about].join(" "), containerId },
  ];
  switch (read.source) {
    case "cgroup":
    case "process-facts":
      return read.args.containers.map((each) => ({
        key: `${source} ${each.containerId}`,
        containerId: each.containerId,
      }));
    case "http-probe":
      return one(read.args.port, read.args.path);
    case "tcp-probe":
    case "tls-probe":
      return one(read.args.address, read.args.port);
    case "docker-image":
      return one(read.args.imageId);
  }
  return one();
}
