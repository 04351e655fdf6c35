import { afterEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import type { DiagnosisReport } from "../../src/core/report.ts";
import { loadRecording } from "../../src/drill/recording.ts";
import { replayNotice } from "../../src/drill/replay.ts";
import { startReplay } from "../../src/drill.ts";
import type { JsonObject } from "../../src/local-room/protocol.ts";
import type { Service } from "../../src/serve.ts";

const channel = "C0INCIDENTS";
let service: Service | null = null;

afterEach(async () => {
  await service?.stop();
  service = null;
});

async function openReplay(): Promise<Service> {
  const world = { env: { PORT: "0", LOG_LEVEL: "error" }, readFile: () => null };
  const terminal = { print() {}, complain() {}, version: "test" };
  service = await startReplay({ ...loadConfig(world), slack: { mode: "local-room" } }, { world, terminal });
  return service;
}

describe("the drill without a lab", () => {
  it("plays the incident through to the recovery, and says everywhere that it is a replay", {
    timeout: 90_000,
  }, async () => {
    const { room, localRoom } = await openReplay();
    const report = await ask("/why-500 web");
    expect(report.rootCause).toMatchObject({
      cause: "cgroup-oom-main",
      host: "replay-of-lab",
      container: "db",
      confidence: "confirmed",
    });
    expect(report.plan?.steps.map((step) => `${step.action} ${step.container}`)).toEqual([
      "update-memory db",
      "start db",
    ]);
    // The kill is as fresh as it was in the lab, not as old as the recording.
    expect(report.evidence.filter(({ at }) => Math.abs(Date.parse(at) - Date.now()) > 600_000)).toEqual([]);

    await approve("U0BEN");
    const [incident] = (await room.status(null)).openIncidents;
    const incidentId = incident?.incidentId ?? "";
    await localRoom?.waitForMessage((message) => JSON.stringify(message).includes("web: recovered"));
    const kinds = (await room.entries(incidentId)).map((entry) => entry.body.kind);
    expect(kinds.filter((kind) => kind === "step-done")).toHaveLength(2);
    const verified = (await room.entries(incidentId)).find((entry) => entry.body.kind === "verified")?.body;
    expect(verified).toMatchObject({ outcome: "recovered" });

    const roots = (localRoom?.journal() ?? []).filter((call) => JSON.stringify(call).includes("details in the thread"));
    expect(roots.length).toBeGreaterThan(2);
    expect(roots.filter((call) => !JSON.stringify(call).includes(replayNotice))).toEqual([]);
    expect(localRoom?.ledgers().lint).toEqual([]);
  });

  it("answers the other questions of the recording, and finds nothing else", { timeout: 90_000 }, async () => {
    const { room } = await openReplay();
    const report = await ask("/why-500 db");
    expect(report.rootCause).toMatchObject({ container: "db" });
    const unknown = await ask("/why-500 shop");
    expect(unknown.verdict).toBe("not-found");
    const found = await room.guardrails("replay-of-lab", null);
    expect("report" in found && found.report.hosts.map(({ host }) => host)).toEqual(["replay-of-lab"]);
  });

  it("does nothing that was not recorded", async () => {
    const { room } = await openReplay();
    expect(await room.checkHost("replay-of-lab", null)).toEqual([expect.objectContaining({ detail: replayNotice })]);
    const added = await room.addHost(person("U0ANA"), {
      name: "real-1",
      address: "192.0.2.1",
      port: 22,
      user: "root",
      hostKey: `SHA256:${"A".repeat(43)}`,
      identityFile: "/nowhere",
    });
    expect(added).toMatchObject({
      refused: true,
      found: expect.stringContaining("a replay has its one recorded host"),
    });
    expect((await room.hosts(null)).map(({ name }) => name)).toEqual(["replay-of-lab"]);
  });
});

describe("the recording", () => {
  it("has a state before and after each step, and no secret", () => {
    const recording = loadRecording();
    expect(recording.stages.map((stage) => stage.step?.action ?? null)).toEqual([null, "update-memory", "start"]);
    expect(JSON.stringify(recording)).not.toMatch(/correct-horse/);
  });
});

async function ask(text: string): Promise<DiagnosisReport> {
  const { room, localRoom } = service as Service;
  const before = new Set((await room.status(null)).openIncidents.map(({ incidentId }) => incidentId));
  await localRoom?.people.command("U0ANA", { channel, text });
  const subject = text.split(" ")[1] ?? "";
  await localRoom?.waitForMessage((message) => JSON.stringify(message).includes(`${subject}: `));
  const fresh = (await room.status(null)).openIncidents.find(({ incidentId }) => !before.has(incidentId));
  const incidentId = fresh?.incidentId ?? "";
  await room.settled(incidentId);
  const told = (await room.entries(incidentId)).find((entry) => entry.body.kind === "diagnosed")?.body;
  if (told?.kind !== "diagnosed") throw new Error(`${text} was not diagnosed`);
  return told.report;
}

async function approve(by: string): Promise<void> {
  const { localRoom } = service as Service;
  let button: { ts: string; blockId: string; actionId: string; value: string } | null = null;
  await localRoom?.waitForMessage((message) => {
    button ??= buttonOf(message, "plan_approve");
    return button !== null;
  });
  await localRoom?.people.act(by, { channel, confirmed: true, ...(button as unknown as JsonObject) } as never);
}

function buttonOf(message: JsonObject, actionId: string) {
  for (const block of (message["blocks"] ?? []) as JsonObject[]) {
    for (const element of (block["elements"] ?? []) as JsonObject[]) {
      if (element["action_id"] !== actionId) continue;
      return {
        ts: String(message["ts"]),
        blockId: String(block["block_id"]),
        actionId,
        value: String(element["value"]),
      };
    }
  }
  return null;
}

function person(userId: string) {
  return { userId, name: "ana", groups: [], isBot: false, isGuest: false, isDeactivated: false, isExternal: false };
}
