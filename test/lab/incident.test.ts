import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { HostAction } from "../../src/core/actions.ts";
import { replay } from "../../src/core/replay.ts";
import { breakShop, type FaultName } from "./faults.ts";
import { approver, asker, type IncidentRoom, openIncidentRoom } from "./incident-room.ts";
import { type Lab, startLab } from "./lab.ts";
import { killForHostMemory } from "./recorded-kernel.ts";
import { clearShop, DB_PASSWORD, type ShopOptions, stageDecoys, stageWebAndDb } from "./stage.ts";
import { status } from "./web-probe.ts";

let lab: Lab;
let room: IncidentRoom | null = null;

beforeAll(async () => {
  lab = await startLab({ name: "incident", engine: "private" });
  await stageDecoys(lab);
});
afterEach(async () => {
  await room?.stop();
  room = null;
  await clearShop(lab);
});
afterAll(async () => {
  await lab?.stop();
});

describe("the founding incident", () => {
  it("goes from /why-500 web to recovered, by two people, without anybody touching web", async () => {
    const shop = await stageWebAndDb(lab, { compose: true });
    await breakShop(lab, "oom-kill");
    const webBefore = await stateOf("web");
    room = await openIncidentRoom(lab);
    const { incidentId, report } = await room.ask("/why-500 web");

    expect(report.rootCause).toMatchObject({ cause: "cgroup-oom-main", container: "db", confidence: "confirmed" });
    expect(report.rootCause?.summary).toContain("OOM-killed");
    expect(sourcesOf(report.rootCause?.citations ?? [], report)).toEqual(
      expect.arrayContaining(["docker-inspect", "kernel-log"]),
    );
    const notWeb = report.ruledOut.find((entry) => entry.container === "web");
    expect(textsOf(notWeb?.citations ?? [], report).join()).toContain("/healthz on port 8000 answered 200");
    expect(report.plan?.steps.map(shortly)).toEqual(["update-memory db", "start db"]);
    const raise = report.plan?.steps[0];
    expect(
      raise?.action === "update-memory" &&
        raise.memorySwapBytes >= raise.memoryBytes &&
        raise.memoryBytes > 268_435_456,
    ).toBe(true);

    await room.click("plan_approve", asker);
    await room.click("plan_approve", approver);
    await untilState(incidentId, "recovered");
    expect(await lab.docker("inspect", "--format", "{{.State.Status}}", "db")).toBe("running\n");
    expect(await status(`${shop.webUrl}/items`)).toBe(200);
    expect(await stateOf("web")).toBe(webBefore);

    const entries = await room.entries(incidentId);
    const kinds = entries.map((entry) => entry.body.kind);
    expect(kinds.indexOf("refused")).toBeLessThan(kinds.indexOf("decided"));
    expect(kinds.indexOf("decided")).toBeLessThan(kinds.indexOf("step-started"));
    expect(kinds.filter((kind) => kind === "step-done")).toHaveLength(2);
    const verified = entries.find((entry) => entry.body.kind === "verified");
    expect(verified?.body.kind === "verified" && verified.body.probes.join()).toMatch(/\/items .*200/);

    const said = JSON.stringify(room.service.localRoom?.journal());
    expect(said).toContain("not in your compose file");
    expect(said).not.toContain(DB_PASSWORD);
    expect(room.service.localRoom?.ledgers().lint).toEqual([]);
    for (const format of ["md", "json", "html", "csv"]) {
      const exported = await room.service.room.export(incidentId, format, { kind: "terminal" });
      const text = "text" in exported ? exported.text : "";
      expect(text).toContain("OOM-killed");
      expect(text).toContain("ben");
      expect(text).not.toContain(DB_PASSWORD);
    }
    expect(await room.service.room.export(incidentId, "json", { kind: "terminal" })).toMatchObject({
      contentType: expect.stringContaining("json"),
    });
  });
});

describe("its near relatives", () => {
  it.each<
    [
      string,
      FaultName | null,
      ShopOptions,
      { verdict: string; cause: string | null; container: string | null; steps: string[] | null },
    ]
  >([
    [
      "a crash loop under restart=always",
      "oom-kill",
      { restartPolicy: "always" },
      { verdict: "root-cause", cause: "oom-crash-loop", container: "db", steps: ["update-memory db"] },
    ],
    [
      "a crash loop under on-failure",
      "oom-kill",
      { restartPolicy: "on-failure" },
      { verdict: "root-cause", cause: "oom-crash-loop", container: "db", steps: ["update-memory db"] },
    ],
    [
      "137 from docker kill",
      "kill",
      {},
      { verdict: "root-cause", cause: "manual-docker-kill", container: "db", steps: ["start db"] },
    ],
    [
      "137 from a docker stop that outlived its grace",
      "stop-past-grace",
      { dbEntrypoint: "shell" },
      { verdict: "root-cause", cause: "stop-grace-exceeded", container: "db", steps: ["start db"] },
    ],
    [
      "a database stopped cleanly by a person",
      "stop",
      {},
      { verdict: "root-cause", cause: "dep-stopped", container: "db", steps: ["start db"] },
    ],
    [
      "the same, when web knows db by name",
      "stop",
      { dbAddress: "name", compose: true },
      { verdict: "root-cause", cause: "dep-stopped", container: "db", steps: ["start db"] },
    ],
  ])("%s", async (_, fault, options, expected) => {
    await stageWebAndDb(lab, options);
    if (fault !== null) await breakShop(lab, fault, options);
    room = await openIncidentRoom(lab);
    const { incidentId, report } = await room.ask("/why-500 web");
    expect({
      verdict: report.verdict,
      cause: report.rootCause?.cause ?? null,
      container: report.rootCause?.container ?? null,
      steps: report.plan?.steps.map(shortly) ?? null,
    }).toEqual(expected);
    await room.click("plan_approve", approver);
    await untilState(incidentId, "recovered");
  });

  it("a kill by the host's OOM killer, which Docker's flag knows nothing of (the kernel's record is a recording)", async () => {
    const shop = await stageWebAndDb(lab, {});
    await lab.run({ name: "reports", command: ["sleep", "infinity"] });
    const reached = await killForHostMemory(lab, "db", "reports");
    for (const path of ["/items", "/prices"]) expect(await status(`${shop.webUrl}${path}`)).toBe(500);
    room = await openIncidentRoom(reached);
    const { incidentId, report } = await room.ask("/why-500 web");
    expect(report.rootCause).toMatchObject({ cause: "host-oom-global", container: "reports", confidence: "confirmed" });
    const cited = textsOf(report.rootCause?.citations ?? [], report).join();
    expect(cited).toContain("OOMKilled=false");
    expect(cited).toMatch(/host|global/);
    expect(report.ruledOut.map((entry) => entry.container)).toContain("web");
    expect(report.plan?.steps.map(shortly)).toEqual(["start db"]);
    await room.click("plan_approve", approver);
    await untilState(incidentId, "recovered");
    await lab.docker("rm", "--force", "reports");
  });

  it("a child killed while the container runs on is told, and nothing is started", async () => {
    await stageWebAndDb(lab, {});
    await breakShop(lab, "oom-kill-child");
    room = await openIncidentRoom(lab);
    const { report } = await room.ask("/why-500 web");
    expect(report.rootCause).toMatchObject({
      container: "db",
      cause: expect.stringMatching(/^(cgroup-oom-child|pg-backend-oom-recovery)$/),
    });
    expect((report.plan?.steps ?? []).map(shortly).filter((step) => step !== "update-memory db")).toEqual([]);
  });

  it("web really broken with db fine is web's own fault, and no button is offered", async () => {
    await stageWebAndDb(lab, {});
    await breakShop(lab, "break-web", {});
    room = await openIncidentRoom(lab);
    const { report } = await room.ask("/why-500 web");
    const accused = report.rootCause?.container ?? report.suspects[0]?.container;
    expect({ accused, plan: report.plan }).toEqual({ accused: "web", plan: null });
  });

  it("nothing wrong at all is said so", async () => {
    await stageWebAndDb(lab, {});
    room = await openIncidentRoom(lab);
    const { report } = await room.ask("/why-500 web");
    expect({ verdict: report.verdict, plan: report.plan }).toEqual({ verdict: "no-fault-found", plan: null });
  });

  it("an unknown service is answered with the names that are near", async () => {
    await stageWebAndDb(lab, {});
    room = await openIncidentRoom(lab);
    const { report } = await room.ask("/why-500 wbe");
    expect(report.verdict).toBe("not-found");
    await room.service.localRoom?.waitForMessage(
      (message) => JSON.stringify(message).includes("wbe") && /\bweb\b/.test(JSON.stringify(message)),
    );
  });
});

function shortly(action: HostAction): string {
  return `${action.action} ${action.container}`;
}

function textsOf(citations: string[], report: { evidence: { id: string; text: string }[] }): string[] {
  return report.evidence.filter((item) => citations.includes(item.id)).map((item) => item.text);
}

function sourcesOf(citations: string[], report: { evidence: { id: string; source: string }[] }): string[] {
  return report.evidence.filter((item) => citations.includes(item.id)).map((item) => item.source);
}

/** What would change if anybody did anything to the container. */
async function stateOf(name: string): Promise<string> {
  return lab.docker(
    "inspect",
    "--format",
    "{{.Id}} {{.State.StartedAt}} {{.State.Pid}} {{.RestartCount}} {{.HostConfig.Memory}}",
    name,
  );
}

async function untilState(incidentId: string, wanted: string): Promise<void> {
  let state: string | undefined;
  for (let tries = 0; tries < 600; tries += 1) {
    state = replay((await room?.entries(incidentId)) ?? [])?.state;
    if (state === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${incidentId} is ${state}, not ${wanted}`);
}
