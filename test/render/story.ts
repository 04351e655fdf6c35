import type { EntryBody, TimelineEntry } from "../../src/core/incident.ts";
import { planHash, type RemediationPlan } from "../../src/core/plan.ts";
import type { DiagnosisReport, EvidenceItem } from "../../src/core/report.ts";

/** Incidents as they would stand in the store, for everything that renders them. */
export const openedAtMs = Date.UTC(2026, 0, 1, 3, 0, 0);
const mib = 1024 * 1024;
const dbId = "7b".repeat(32);
const webId = "4b".repeat(32);

export const ana = { kind: "person", userId: "U0ANA", name: "Ana" } as const;
export const ben = { kind: "person", userId: "U0BEN", name: "Ben" } as const;
export const cleo = { kind: "person", userId: "U0CLEO", name: "Cleo" } as const;
const room137 = { kind: "room137" } as const;

type Told = { body: EntryBody; actor?: TimelineEntry["actor"]; afterS?: number };

/** Entries one after the other, five seconds apart unless told. */
export function story(told: readonly Told[], incidentId = "inc-7f3a"): TimelineEntry[] {
  let atMs = openedAtMs - 5_000;
  return told.map(({ body, actor, afterS }, at) => {
    atMs += (afterS ?? 5) * 1_000;
    const hash = String(at + 1).padStart(64, "0");
    return { incidentId, seq: at + 1, atMs, actor: actor ?? room137, body, hash };
  });
}

export const opening: Told[] = [
  {
    actor: ana,
    body: {
      kind: "opened",
      target: { service: "web", symptom: "http-500", host: null },
      room: { channel: "C0OPS", threadTs: null },
      command: "/why-500 web",
    },
  },
  { body: { kind: "investigating", hosts: ["prod-1"], again: false }, afterS: 0 },
];

const item = (id: number, more: Partial<EvidenceItem> & Pick<EvidenceItem, "source" | "text">): EvidenceItem => ({
  id: `e${id}`,
  host: "prod-1",
  container: "db",
  read: "GET /containers/db/json",
  at: "2026-01-01T03:00:01.000Z",
  ...more,
});

export const foundingReport: DiagnosisReport = {
  schemaVersion: 1,
  service: "web",
  symptom: "http-500",
  verdict: "root-cause",
  rootCause: {
    cause: "cgroup-oom-main",
    host: "prod-1",
    container: "db",
    confidence: "confirmed",
    summary:
      "db was OOM-killed: the kernel killed its main process at its own memory limit of 256 MiB (268435456 bytes), which is too tight",
    citations: ["e1", "e2", "e3"],
  },
  chain: [{ from: "web", to: "db", proof: "log", citations: ["e4"] }],
  suspects: [],
  contributingFactors: [],
  ruledOut: [
    {
      cause: "unknown-cause",
      container: "web",
      summary:
        "web itself is healthy: GET /healthz on port 8000 answered 200; what its log complains of is what it depends on, so restarting web changes nothing",
      citations: ["e5", "e6"],
    },
  ],
  gaps: [
    {
      source: "host-disk",
      host: "prod-1",
      reason: "df took longer than 6 s (look for a mount that hangs)",
      weakens: "a full disk can be missed",
    },
  ],
  evidence: [
    item(1, {
      source: "docker-inspect",
      text: "State.Status=exited State.ExitCode=137 State.OOMKilled=true HostConfig.Memory=268435456: 256 MiB (268435456 bytes)",
    }),
    item(2, {
      source: "docker-events",
      read: "GET /events",
      text: "oom at 2026-01-01T02:56:59.900Z, die (exit 137) at 2026-01-01T02:57:00.000Z",
    }),
    item(3, {
      source: "kernel-log",
      read: "dmesg",
      text: `killed process 14821 (postgres) at a memory cgroup limit, limit of /docker/${dbId}, anon-rss 254400 kB`,
    }),
    item(4, {
      source: "docker-logs",
      container: "web",
      read: "GET /containers/web/logs",
      text: 'psycopg2.OperationalError: connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused',
    }),
    item(5, {
      source: "http-probe",
      container: "web",
      read: "GET http://172.30.0.2:8000/healthz",
      text: "GET /healthz on port 8000 answered 200",
    }),
    item(6, {
      source: "docker-inspect",
      container: "web",
      read: "GET /containers/web/json",
      text: "State.Status=running RestartCount=0",
    }),
  ],
  plan: null,
  advice: ["Set an alert on the memory use of db before the limit is reached."],
  timings: { totalMs: 812, connectMs: 120, gatherMs: 640, diagnoseMs: 12 },
};

export const foundingPlan: RemediationPlan = sealed({
  cause: "cgroup-oom-main",
  steps: [
    {
      action: {
        action: "update-memory",
        host: "prod-1",
        container: "db",
        containerId: dbId,
        memoryBytes: 1024 * mib,
        memorySwapBytes: 1024 * mib,
      },
      title: "raise the memory limit of db from 256 MiB to 1 GiB, memory plus swap to 1 GiB",
      why: "peak use 256 MiB x 1.5 + 64 MiB overhead for PostgreSQL = 448 MiB; the kill at 256 MiB hides the true peak, so at least twice the limit; PostgreSQL should have at least 1 GiB; rounded up to 1 GiB",
    },
    {
      action: { action: "start", host: "prod-1", container: "db", containerId: dbId },
      title: "start db",
      why: "db is exited",
    },
  ],
  preconditions: [
    {
      host: "prod-1",
      containerId: dbId,
      container: "db",
      expect: {
        status: "exited",
        startedAtMs: openedAtMs - 7_200_000,
        finishedAtMs: openedAtMs - 180_000,
        restartCount: 0,
        memoryLimitBytes: 256 * mib,
        memorySwapBytes: 256 * mib,
        pidsLimit: null,
        restartPolicy: "no",
        networks: ["app"],
      },
    },
  ],
  policyVersion: "p1",
  risk: "low",
  risks: ["db may use up to 768 MiB more of the host's memory."],
  verification: ["db is running and stays so", "GET /items on web:8000 answers 200"],
  probes: [{ host: "prod-1", container: "web", containerId: webId, port: 8000, path: "/items", expect: 200 }],
  undo: [
    {
      action: "update-memory",
      host: "prod-1",
      container: "db",
      containerId: dbId,
      memoryBytes: 256 * mib,
      memorySwapBytes: 256 * mib,
    },
  ],
  undoWarning: "Taking the raise back can kill the container at once when it then uses more than the old limit.",
  composeNote: { service: "db", lines: ["deploy:", "  resources:", "    limits:", "      memory: 1g"] },
  memoryChoice: { floorBytes: 448 * mib, ceilingBytes: 5 * 1024 * mib },
});

export function sealed(draft: Omit<RemediationPlan, "hash">): RemediationPlan {
  return { hash: planHash(draft), ...draft };
}

type Proposed = Extract<EntryBody, { kind: "plan-proposed" }>;

export function proposal(plan = foundingPlan, more: Partial<Proposed> = {}): Told {
  return {
    body: {
      kind: "plan-proposed",
      plan,
      expiresAtMs: openedAtMs + 1_800_000,
      quorum: 1,
      proposedFor: "U0ANA",
      breakGlass: false,
      undoOf: null,
      ...more,
    },
    afterS: 0,
  };
}

export function diagnosed(report = foundingReport): Told {
  return { body: { kind: "diagnosed", report }, afterS: 1 };
}

export function decision(plan = foundingPlan): Told[] {
  const { hash } = plan;
  return [
    { actor: ben, body: { kind: "approved", hash, reason: null, votes: 1, quorum: 1 }, afterS: 60 },
    { actor: ben, body: { kind: "decided", hash, approvers: ["U0BEN"] }, afterS: 0 },
  ];
}

export function stepsDone(plan = foundingPlan): Told[] {
  const { hash } = plan;
  const steps = plan.steps.flatMap(({ action }, step): Told[] => [
    { body: { kind: "step-started", hash, step, action }, afterS: 1 },
    { body: { kind: "step-done", hash, step, action, readBack: readBackOf(action.action), resumed: false }, afterS: 1 },
  ]);
  return [...steps, { body: { kind: "executed", hash }, afterS: 0 }, { body: { kind: "verifying", hash }, afterS: 0 }];
}

function readBackOf(action: string): string {
  return action === "update-memory"
    ? "HostConfig.Memory=1073741824 HostConfig.MemorySwap=1073741824"
    : "State.Status=running";
}

export function verified(outcome: "recovered" | "not-recovered" | "inconclusive", plan = foundingPlan): Told {
  const good = outcome === "recovered";
  return {
    body: {
      kind: "verified",
      hash: plan.hash,
      outcome,
      probes: [
        `GET /items on web:8000: before 500, now ${good ? "200 (5 of 5)" : "500 (5 of 5)"}`,
        good ? "db: running for 12 s, no restart" : "db: exited again with 137",
      ],
      changes: good ? ["db: exited → running, memory limit 256 MiB → 1 GiB"] : [],
    },
    afterS: 12,
  };
}
