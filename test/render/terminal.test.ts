import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DiagnosisReport } from "../../src/core/report.ts";
import { diagnosisText } from "../../src/render/terminal.ts";
import { guardrailsText, hostCheckText, hostsText, kernelLogText } from "../../src/render/terminal-hosts.ts";
import { parseKernelLog } from "../../src/sources/kernel-log/parse.ts";
import { evidenceText, FC_RUNS } from "../slack/blocks/arbitrary.ts";
import { hostileStory, scenarios } from "./scenarios.ts";
import { foundingPlan, foundingReport } from "./story.ts";

const plainStyle = { color: false, width: 80 };
const escapes = /\u001b\[(?:0|1|2|31|32|33)m/g;

function reportOf(name: string): DiagnosisReport {
  const body = (scenarios[name] ?? []).map((entry) => entry.body).findLast((one) => one.kind === "diagnosed");
  if (body?.kind !== "diagnosed") throw new Error(`${name} has no diagnosis`);
  return body.report;
}

const withPlan: DiagnosisReport = {
  ...foundingReport,
  plan: {
    hash: foundingPlan.hash,
    steps: foundingPlan.steps.map((step) => step.action),
    verification: foundingPlan.verification,
    undo: foundingPlan.undo,
  },
};

describe("diagnosis", () => {
  it.each([
    ["founding", withPlan],
    ["inconclusive", reportOf("inconclusive")],
    ["not-found", reportOf("not-found")],
    ["no-fault-found", reportOf("no-fault-found")],
  ])("reads as its golden text: %s", async (name, report) => {
    await expect(diagnosisText(report, plainStyle)).toMatchFileSnapshot(`golden/terminal-${name}.txt`);
  });

  it("stays within the width where its words allow", () => {
    for (const line of diagnosisText(withPlan, plainStyle).split("\n")) {
      if (line.length > 80)
        expect(
          line
            .trim()
            .split(" ")
            .some((word) => word.length > 60),
        ).toBe(true);
    }
  });

  it("is the same words with and without colour", () => {
    const coloured = diagnosisText(withPlan, { color: true, width: 80 });
    expect(coloured).toMatch(escapes);
    expect(coloured.replace(escapes, "")).toBe(diagnosisText(withPlan, plainStyle));
  });

  it("lets no host bring an escape, a line break or a hidden character", () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        const body = hostileStory(text)
          .map((entry) => entry.body)
          .find((one) => one.kind === "diagnosed");
        if (body?.kind !== "diagnosed") throw new Error("the story has a diagnosis");
        expect(diagnosisText(body.report, plainStyle)).not.toMatch(
          /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e]/,
        );
      }),
      { numRuns: Math.ceil(FC_RUNS / 5) },
    );
  });
});

describe("hosts", () => {
  const host = {
    name: "prod-1",
    address: "room137@10.0.0.5:22",
    local: false,
    labels: {},
    ok: true,
    detail: "Docker 20.10.24",
  };

  it("lists them in columns", () => {
    const text = hostsText([host, { ...host, name: "local", local: true, ok: null, detail: "" }], plainStyle);
    expect(text).toBe(
      [
        "HOST    ADDRESS              STATE         DETAIL",
        "prod-1  room137@10.0.0.5:22  ok            Docker 20.10.24",
        "local   this machine         not read yet",
        "",
      ].join("\n"),
    );
    expect(hostsText([], plainStyle)).toMatch(/^No host is registered/);
  });

  it("says under a failed check what mends it, and counts only errors", () => {
    const checks = [
      { check: "reachable", ok: true, level: "info" as const, detail: "connected in 31 ms", fix: null },
      {
        check: "kernel log",
        ok: false,
        level: "warning" as const,
        detail: "permission denied",
        fix: "allow dmesg in sudoers",
      },
      {
        check: "docker socket",
        ok: false,
        level: "error" as const,
        detail: "permission denied",
        fix: "add the user to the group docker",
      },
    ];
    expect(hostCheckText("prod-1", checks, plainStyle)).toBe(
      [
        "prod-1",
        "",
        "ok       reachable: connected in 31 ms",
        "warning  kernel log: permission denied",
        "         fix: allow dmesg in sudoers",
        "error    docker socket: permission denied",
        "         fix: add the user to the group docker",
        "",
        "prod-1: 1 error to mend.",
        "",
      ].join("\n"),
    );
  });
});

describe("guardrails", () => {
  it("puts the worst first and names what was not seen", () => {
    const finding = (level: "error" | "warning", container: string) => ({
      level,
      container,
      found: `${container} has no limit.`,
      fix: "set one",
    });
    const text = guardrailsText(
      {
        hosts: [
          { host: "prod-1", findings: [finding("warning", "web"), finding("error", "db")] },
          { host: "prod-2", findings: [] },
        ],
        gaps: [{ source: "docker-inspect", host: "prod-3", reason: "no answer", weakens: "nothing of it was judged" }],
      },
      plainStyle,
    );
    expect(text.indexOf("error: db")).toBeLessThan(text.indexOf("warning: web"));
    expect(text).toContain("prod-2\nnothing found");
    expect(text).toContain("docker-inspect on prod-3: no answer. So nothing of it was judged.");
  });
});

describe("kernel log", () => {
  it("says who was killed and by whose limit", () => {
    const id = "ab".repeat(32);
    const log = parseKernelLog(
      [
        `[ 3419.880000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${id},mems_allowed=0,oom_memcg=/docker/${id},task_memcg=/docker/${id},task=postgres,pid=14821,uid=999`,
        "[ 3419.890000] Memory cgroup out of memory: Killed process 14821 (postgres) total-vm:1048576kB, anon-rss:254400kB, file-rss:1200kB, shmem-rss:0kB, UID:999 pgtables:600kB oom_score_adj:0",
      ].join("\n"),
      {},
    );
    const text = kernelLogText(log, plainStyle).replaceAll(/\s+/g, " ");
    expect(text).toContain("1 OOM kill in 2 lines:");
    expect(text).toContain("postgres (pid 14821) was killed at the memory limit of its group");
    expect(text).toContain("container abababababab; anonymous memory 254400 kB");
  });

  it("says that there is none, and doubts it where records were lost", () => {
    expect(kernelLogText(parseKernelLog("nothing to see", {}), plainStyle)).toBe("No OOM kill in 1 line.\n");
    const lost = { ...parseKernelLog("nothing to see", {}), suppressed: true };
    expect(kernelLogText(lost, plainStyle)).toContain("a missing kill proves nothing");
  });
});
