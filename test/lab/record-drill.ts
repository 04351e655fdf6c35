import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Reading } from "../../src/core/evidence.ts";
import type { PlannedRead } from "../../src/core/reads.ts";
import { answersOf, type Recording, type Stage } from "../../src/drill/recording.ts";
import { createHostPerformer } from "../../src/hosts/perform.ts";
import { assembleParts, type Parts } from "../../src/program.ts";
import type { ExecuteReads } from "../../src/room/investigate.ts";
import { oomKillDb } from "./faults.ts";
import { approver, openIncidentRoom } from "./incident-room.ts";
import { type Lab, startLab } from "./lab.ts";
import { FAULT_TIMEOUT_MS } from "./limits.ts";
import { eventually } from "./processes.ts";
import { DB_PASSWORD, stageWebAndDb } from "./stage.ts";

/**
 * `node test/lab/record-drill.ts` plays the founding incident through in a real lab and keeps what every read answered,
 * for the drill where no lab can be had. Run it again when a source reads something new.
 */
const host = "replay-of-lab";
const file = new URL("../../src/drill/recording.json.gz", import.meta.url);
const question = "/why-500 web";
/** What people are likely to ask in a drill besides the pager's question. */
const others = ["/why web", "/why db", "/why-500 db"];

const lab = await startLab({ name: "record-drill", engine: "private", log: console.error });
try {
  await stageWebAndDb(lab, { compose: true });
  await oomKillDb(lab);
  const recording = await record(lab);
  const json = JSON.stringify(recording);
  if (json.includes(DB_PASSWORD)) throw new Error("the recording holds the database's password");
  writeFileSync(file, gzipSync(json, { level: 9 }));
  console.log(`${recording.stages.map((stage) => Object.keys(stage.readings).length).join(" + ")} readings kept`);
} finally {
  await lab.stop();
}
process.exit(0);

async function record(on: Lab): Promise<Recording> {
  const stages: Stage[] = [{ step: null, atMs: Date.now(), readings: {} }];
  const room = await openIncidentRoom(on, "", {
    host,
    assemble: (config) => recordingParts(assembleParts(config), stages),
  });
  try {
    // The first to ask owns the plan.
    const { incidentId } = await room.ask(question);
    for (const other of others) await room.ask(other);
    await room.service.room.guardrails(host, null);
    await room.click("plan_approve", approver);
    const verified = async () => (await room.entries(incidentId)).some((entry) => entry.body.kind === "verified");
    if (!(await eventually(verified, FAULT_TIMEOUT_MS))) throw new Error("the incident was not verified");
    for (const again of [question, ...others]) await room.ask(again);
    await room.service.room.guardrails(host, null);
  } finally {
    await room.stop();
  }
  return { schemaVersion: 1, host, address: on.ssh.host, stages };
}

/** The real parts; what they read and do is noted in the newest stage. */
function recordingParts(parts: Parts, stages: Stage[]): Parts {
  const performer = createHostPerformer({ hostConfig: (name) => parts.hosts.config(name), clock: parts.clock });
  return {
    ...parts,
    executeReads: async (reads, readers) => {
      const stage = stages.at(-1) as Stage;
      const alone = reads.filter((read) => read.source.endsWith("-probe") || read.source === "docker-image");
      const together = reads.filter((read) => !alone.includes(read));
      const answers = await Promise.all(
        [together, ...alone.map((read) => [read])].map((batch) => noted(stage, parts.executeReads, batch, readers)),
      );
      return answers.flat();
    },
    performer: {
      async perform(plan, step) {
        stages.push({ step: plan.actions[step] ?? null, atMs: Date.now(), readings: {} });
        return performer.perform(plan, step);
      },
    },
  };
}

async function noted(
  stage: Stage,
  execute: ExecuteReads,
  batch: PlannedRead[],
  readers: Parameters<ExecuteReads>[1],
): Promise<Reading[]> {
  if (batch.length === 0) return [];
  const answers = await execute(batch, readers);
  for (const read of batch) {
    for (const { key, containerId } of answersOf(read)) {
      const own = answers.find((reading) => reading.source === read.source && reading.containerId === containerId);
      if (own !== undefined) stage.readings[key] = own;
    }
  }
  return answers;
}
