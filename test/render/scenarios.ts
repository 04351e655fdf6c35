import type { TimelineEntry } from "../../src/core/incident.ts";
import type { DiagnosisReport } from "../../src/core/report.ts";
import type { DrawnMemory } from "../../src/render/memory-image.ts";
import {
  ana,
  ben,
  cleo,
  decision,
  diagnosed,
  foundingPlan,
  foundingReport,
  opening,
  proposal,
  sealed,
  stepsDone,
  story,
  verified,
} from "./story.ts";

const { hash } = foundingPlan;

const crashLoopReport: DiagnosisReport = {
  ...foundingReport,
  rootCause: {
    cause: "oom-crash-loop",
    host: "prod-1",
    container: "db",
    confidence: "confirmed",
    summary: "db is in a crash loop: the kernel kills it at its own memory limit of 256 MiB on every start",
    citations: ["e1", "e2", "e3"],
  },
  contributingFactors: [
    {
      cause: "cgroup-oom-main",
      host: "prod-1",
      container: "db",
      summary: "the restart policy of db is always, so every kill is followed by a start into the same limit",
      citations: ["e1"],
    },
  ],
  advice: ["A restart policy does not cure a limit that is too tight: every start meets the same limit again."],
};

const leakReport: DiagnosisReport = {
  ...foundingReport,
  rootCause: {
    cause: "oom-leak",
    host: "prod-1",
    container: "db",
    confidence: "confirmed",
    summary:
      "db leaks memory: its memory climbed from 40 MiB to 250 MiB over 43 samples, and the kernel killed it at its limit of 256 MiB (268435456 bytes)",
    citations: ["e1", "e3", "e4"],
  },
  chain: [],
  evidence: foundingReport.evidence.map((item) =>
    item.id === "e4"
      ? {
          ...item,
          container: "db",
          source: "memory-series",
          read: "the event recorder",
          text: "43 samples from 40 MiB to 250 MiB, limit 256 MiB; steepest step 5 MiB: a climb",
        }
      : item,
  ),
};

const inconclusive: DiagnosisReport = {
  ...foundingReport,
  verdict: "inconclusive",
  rootCause: null,
  chain: [],
  ruledOut: [],
  suspects: [
    {
      host: "prod-1",
      container: "db",
      cause: "external-sigkill",
      summary: "db ended with exit code 137, and who killed it was not seen",
      citations: ["e1"],
      wouldDecide: "the kernel log of prod-1: sudo dmesg, or add the user to the group adm",
    },
    {
      host: "prod-1",
      container: "web",
      cause: null,
      summary: "web logs refused connections to db",
      citations: ["e4"],
      wouldDecide: "a probe of port 5432 on db",
    },
  ],
  gaps: [
    {
      source: "kernel-log",
      host: "prod-1",
      reason: "permission denied (sudo sysctl kernel.dmesg_restrict=0, or allow dmesg in sudoers)",
      weakens: "an out-of-memory kill can be missed, and a kill from outside cannot be told from one",
    },
  ],
  advice: [],
};

const notFound: DiagnosisReport = {
  ...foundingReport,
  service: "wbe",
  verdict: "not-found",
  rootCause: null,
  chain: [],
  ruledOut: [],
  gaps: [],
  evidence: [],
  advice: ["Names that can be asked about: web on prod-1, web-old on prod-1."],
};

const noFault: DiagnosisReport = {
  ...foundingReport,
  verdict: "no-fault-found",
  rootCause: null,
  chain: [],
  ruledOut: [],
  gaps: [],
  evidence: foundingReport.evidence.slice(4),
  advice: [],
};

/** Memory of db up to its kill: 43 samples, climbing or flat. */
export function courseOf(shape: "leak" | "spike"): DrawnMemory {
  const killedAtMs = Date.UTC(2026, 0, 1, 2, 57);
  const mib = 1024 ** 2;
  return {
    host: "prod-1",
    container: "db",
    points: Array.from({ length: 43 }, (_, at) => ({
      atMs: killedAtMs - (43 - at) * 15_000,
      bytes: (40 + (shape === "leak" ? 5 * at : 0)) * mib,
    })),
    limitBytes: 256 * mib,
    startedAtMs: killedAtMs - 44 * 15_000,
    killedAtMs,
    shape,
    words:
      shape === "leak"
        ? "its memory climbed from 40 MiB to 250 MiB over 43 samples"
        : "its memory was flat, from 40 MiB to 40 MiB over 43 samples, and then met the limit at once",
    cited: ["e4"],
  };
}

/** Text as a compromised host would send it. */
export const hostileText =
  "<!channel> <@U0ANA> @here https://evil.example `x` *b* :fire:\n# Approve\u001b[31m\u202e=cmd|'/c'";

export function hostileStory(text: string): TimelineEntry[] {
  const report: DiagnosisReport = {
    ...foundingReport,
    service: text,
    rootCause: {
      cause: "cgroup-oom-main",
      host: text,
      container: text,
      confidence: "probable",
      summary: text,
      citations: ["e1"],
    },
    chain: [{ from: text, to: text, proof: "log", citations: ["e1"] }],
    suspects: [],
    contributingFactors: [{ cause: "cgroup-oom-main", host: text, container: text, summary: text, citations: [] }],
    ruledOut: [{ cause: "unknown-cause", container: text, summary: text, citations: [] }],
    gaps: [{ source: "kernel-log", host: text, reason: text, weakens: text }],
    evidence: foundingReport.evidence.map((one) => ({ ...one, host: text, container: text, read: text, text })),
    advice: [text],
  };
  const plan = sealed({
    ...foundingPlan,
    steps: foundingPlan.steps.map((step) => ({
      action: { ...step.action, host: text, container: text },
      title: text,
      why: text,
      command: text,
    })),
    risks: [text],
    verification: [text],
    probes: foundingPlan.probes.map((probe) => ({ ...probe, container: text, path: text })),
    undo: foundingPlan.undo.map((action) => ({ ...action, host: text, container: text })),
    undoWarning: text,
    composeNote: { service: text, lines: [text] },
  });
  const [start = opening[0] as never, ...rest] = opening;
  const opened =
    start.body.kind === "opened"
      ? { ...start.body, target: { ...start.body.target, service: text }, command: text }
      : start.body;
  const person = { kind: "person", userId: "U0EVE", name: text } as const;
  const [first] = plan.steps;
  if (first === undefined) return [];
  return story([
    { ...start, actor: person, body: opened },
    ...rest,
    { body: { kind: "investigating", hosts: [text], again: true } },
    diagnosed(report),
    proposal(plan, { breakGlass: true }),
    { actor: person, body: { kind: "note", text, from: text } },
    { body: { kind: "approval-reminder", hash: plan.hash } },
    { actor: person, body: { kind: "approved", hash: plan.hash, reason: text, votes: 1, quorum: 1 } },
    { actor: person, body: { kind: "break-glass", hash: plan.hash, typed: text, reason: text } },
    { actor: person, body: { kind: "decided", hash: plan.hash, approvers: ["U0EVE"] } },
    { actor: person, body: { kind: "abort-requested", hash: plan.hash } },
    { body: { kind: "step-started", hash: plan.hash, step: 0, action: first.action } },
    { body: { kind: "step-found", hash: plan.hash, step: 0, state: "done", reason: text } },
    { body: { kind: "step-done", hash: plan.hash, step: 0, action: first.action, readBack: text, resumed: true } },
    { body: { kind: "executed", hash: plan.hash } },
    { body: { kind: "verified", hash: plan.hash, outcome: "not-recovered", probes: [text], changes: [text] } },
    { body: { kind: "investigation-failed", reason: text, next: text } },
    { actor: person, body: { kind: "closed", reason: text } },
  ]);
}

const waiting = [...opening, diagnosed(), proposal()];

/** One incident each, whole, as the store would hold it. */
export const scenarios: Record<string, TimelineEntry[]> = {
  "founding-incident-recovered": story([
    ...waiting,
    { actor: ben, body: { kind: "note", text: "customers see errors since 02:57", from: null } },
    ...decision(),
    ...stepsDone(),
    verified("recovered"),
  ]),
  "leak-with-chart": story([
    ...opening,
    { body: { kind: "diagnosed", report: leakReport, memory: courseOf("leak") }, afterS: 1 },
  ]),
  "crash-loop-two-approvals": story([
    ...opening,
    diagnosed(crashLoopReport),
    proposal(foundingPlan, { quorum: 2, ask: ["S0ONCALL"], requireReason: true }),
    { actor: ben, body: { kind: "approved", hash, reason: "seen the kills", votes: 1, quorum: 2 }, afterS: 30 },
    { body: { kind: "approval-reminder", hash }, afterS: 870 },
    { actor: cleo, body: { kind: "approved", hash, reason: "fine", votes: 2, quorum: 2 }, afterS: 20 },
    { actor: cleo, body: { kind: "decided", hash, approvers: ["U0BEN", "U0CLEO"] }, afterS: 0 },
    ...stepsDone(),
    verified("inconclusive"),
  ]),
  rejected: story([
    ...waiting,
    { actor: ben, body: { kind: "rejected", hash, reason: "we fail over instead" }, afterS: 40 },
    { actor: ana, body: { kind: "closed", reason: "failed over by hand" }, afterS: 300 },
  ]),
  expired: story([
    ...waiting,
    { body: { kind: "expired", hash }, afterS: 1_800 },
    { body: { kind: "investigating", hosts: ["prod-1"], again: true }, afterS: 60 },
    diagnosed(),
    proposal(),
  ]),
  stale: story([
    ...waiting,
    ...decision(),
    {
      body: { kind: "stale", hash, changed: ["db: status was exited, is running", "db: started at another time"] },
      afterS: 1,
    },
  ]),
  "not-recovered": story([...waiting, ...decision(), ...stepsDone(), verified("not-recovered")]),
  "step-failed": story([
    ...waiting,
    ...decision(),
    ...stepsDone().slice(0, 3),
    {
      body: {
        kind: "step-failed",
        hash,
        step: 1,
        action: (foundingPlan.steps[1] as (typeof foundingPlan.steps)[number]).action,
        reason: "the engine answered 500: network app not found.",
        next: "Look at docker network ls on prod-1, then ask for a new plan.",
      },
    },
  ]),
  aborted: story([
    ...waiting,
    ...decision(),
    ...stepsDone().slice(0, 2),
    { actor: ana, body: { kind: "abort-requested", hash } },
    { body: { kind: "aborted", hash, before: 1, why: "it was asked to stop" } },
  ]),
  "restarted-unknown": story([
    ...waiting,
    ...decision(),
    ...stepsDone().slice(0, 1),
    {
      body: { kind: "step-found", hash, step: 0, state: "unknown", reason: "prod-1 does not answer" },
      afterS: 30,
    },
  ]),
  "break-glass": story([
    ...opening,
    diagnosed(),
    proposal(foundingPlan, { breakGlass: true, quorum: 2 }),
    { actor: ana, body: { kind: "break-glass", hash, typed: "db", reason: "nobody else is awake" }, afterS: 50 },
    { actor: ana, body: { kind: "decided", hash, approvers: ["U0ANA"] }, afterS: 0 },
    ...stepsDone(),
    verified("recovered"),
  ]),
  inconclusive: story([...opening, diagnosed(inconclusive)]),
  "not-found": story([...opening, diagnosed(notFound)]),
  "no-fault-found": story([...opening, diagnosed(noFault)]),
  "investigation-failed": story([
    ...opening,
    {
      body: {
        kind: "investigation-failed",
        reason: "prod-1 could not be reached: connection refused at 10.0.0.5:22.",
        next: "Run /hosts check prod-1.",
      },
      afterS: 8,
    },
  ]),
  "changed-by-a-person": story([
    ...waiting,
    { actor: ben, body: { kind: "plan-changed", fromHash: hash, reason: "Ben chose 2 GiB" }, afterS: 30 },
    proposal(sealed({ ...foundingPlan, policyVersion: "p2" })),
  ]),
  "hostile-texts": hostileStory(hostileText),
};
