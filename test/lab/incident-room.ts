import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Config, loadConfig } from "../../src/config.ts";
import type { TimelineEntry } from "../../src/core/incident.ts";
import type { DiagnosisReport } from "../../src/core/report.ts";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import type { Parts } from "../../src/program.ts";
import { type Service, startService } from "../../src/serve.ts";
import type { Lab } from "./lab.ts";

export const asker = "U0ANA";
export const approver = "U0BEN";
const channel = "C0INCIDENTS";

/** room137 as `npm start` runs it, over the lab's sshd, with the local room in the place of Slack. */
export interface IncidentRoom {
  service: Service;
  /** Types a command and resolves once the investigation has said all it has to say. */
  ask(command: string, by?: string): Promise<{ incidentId: string; report: DiagnosisReport }>;
  /** Clicks a button of the newest plan card, confirm dialog included. */
  click(actionId: string, by: string): Promise<void>;
  entries(incidentId: string): Promise<TimelineEntry[]>;
  /** Resolves when nothing runs for this incident any more. */
  settled(incidentId: string): Promise<void>;
  stop(): Promise<void>;
}

export async function openIncidentRoom(
  lab: Lab,
  more = "",
  options: { host?: string; assemble?: (config: Config) => Parts } = {},
): Promise<IncidentRoom> {
  const database = join(lab.dir, "incident-room.db");
  for (const ending of ["", "-wal", "-shm"]) rmSync(`${database}${ending}`, { force: true });
  const yaml = `${hostYaml(lab, options.host)}approvals:\n  approvers: [${approver}, U0CHI, ${asker}]\n${more}`;
  const env = {
    ROOM137_CONFIG: "room137.yaml",
    ROOM137_DATABASE_URL: `file:${database}`,
    PORT: "0",
    LOG_LEVEL: "error",
    HOSTNAME: "lab",
  };
  const world = { env, readFile: (path: string) => (path === "room137.yaml" ? yaml : null) };
  const terminal = { print() {}, complain() {}, version: "lab" };
  const service = await startService(loadConfig(world), { world, terminal, ...options });
  const room = service.localRoom;
  if (room === null) throw new Error("the local room was not started");
  return {
    service,
    async ask(text, by = asker) {
      const before = new Set(await known(service));
      const answer = await room.people.command(by, { channel, text });
      if (!("ok" in answer) || answer.ok !== true) throw new Error(`${text} was not taken: ${JSON.stringify(answer)}`);
      const incidentId = await opened(service, before);
      await service.room.settled(incidentId);
      const told = (await service.room.entries(incidentId)).findLast((entry) => entry.body.kind === "diagnosed");
      if (told?.body.kind !== "diagnosed") throw new Error(`${incidentId} was not diagnosed`);
      return { incidentId, report: told.body.report };
    },
    async click(actionId, by) {
      const found = await buttonOf(service, actionId);
      await room.people.act(by, { channel, confirmed: true, ...found });
    },
    entries: (incidentId) => service.room.entries(incidentId),
    settled: (incidentId) => service.room.settled(incidentId),
    stop: () => service.stop(),
  };
}

export function hostYaml(lab: Lab, name = "prod-1"): string {
  const { host, port, user, identityFile, hostKey } = lab.ssh;
  return `hosts:\n  - name: ${name}\n    address: ${host}\n    port: ${port}\n    user: ${user}\n    identityFile: ${identityFile}\n    hostKey: "${hostKey}"\n    dockerSocket: ${lab.dockerSocket}\n`;
}

async function known(service: Service): Promise<string[]> {
  return (await service.room.status(null)).openIncidents.map((incident) => incident.incidentId);
}

/** The ack comes before the incident; it is there within moments. */
async function opened(service: Service, before: Set<string>): Promise<string> {
  for (let tries = 0; tries < 200; tries += 1) {
    const fresh = (await known(service)).find((incidentId) => !before.has(incidentId));
    if (fresh !== undefined) return fresh;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("no incident was opened");
}

/** Waits for a message that carries the button: the thread may lag the timeline. */
async function buttonOf(
  service: Service,
  actionId: string,
): Promise<{ ts: string; blockId: string; actionId: string; value: string }> {
  let found: { ts: string; blockId: string; actionId: string; value: string } | null = null;
  await service.localRoom?.waitForMessage((message: JsonObject) => {
    for (const block of (message["blocks"] ?? []) as JsonObject[]) {
      for (const element of (block["elements"] ?? []) as JsonObject[]) {
        if (element["action_id"] !== actionId) continue;
        found = {
          ts: String(message["ts"]),
          blockId: String(block["block_id"]),
          actionId,
          value: String(element["value"]),
        };
      }
    }
    return found !== null;
  });
  if (found === null) throw new Error(`no message has ${actionId}`);
  return found;
}
