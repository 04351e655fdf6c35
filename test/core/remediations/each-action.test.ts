import { describe, expect, it } from "vitest";
import { type Cause, causeFacts, causes } from "../../../src/core/causes.ts";
import { type Conclusion, diagnose } from "../../../src/core/diagnose.ts";
import type { Finding } from "../../../src/core/diagnosis.ts";
import { type ActionPolicy, propose } from "../../../src/core/propose.ts";
import type { ContainerInspect } from "../../../src/core/readings.ts";
import type { HostView } from "../../../src/core/world.ts";
import { askedAtMs, idOf, questionAbout, readingsOf } from "../scene.ts";

const mib = 1024 ** 2;
const policy: ActionPolicy = {
  maxMemoryBytes: null,
  maxHostMemoryPercent: 80,
  protectedContainers: [],
  policyVersion: "1",
};
const target = { host: "h1", container: "db", containerId: idOf("db") };
const paused: Partial<ContainerInspect> = { status: "paused", running: true, paused: true };
const ended: Partial<ContainerInspect> = {
  status: "exited",
  running: false,
  exitCode: 1,
  finishedAtMs: askedAtMs - 9_000,
};
const states: [string, Partial<ContainerInspect>][] = [
  ["running", {}],
  ["paused", paused],
  ["ended", ended],
  ["looping", { status: "restarting", restarting: true, running: true, restartCount: 9, exitCode: 0 }],
];
const everywhere = { memoryLimitBytes: 256 * mib, memorySwapBytes: 256 * mib, pidsLimit: 100 };

/** What would be proposed if that were the cause, in that state. */
function proposedFor(cause: Cause, inspect: Partial<ContainerInspect>, more: Partial<ActionPolicy> = {}) {
  const scene = { containers: [{ name: "db", inspect: { ...everywhere, ...inspect } }, { name: "web" }] };
  const conclusion: Conclusion = diagnose(questionAbout("web"), readingsOf(scene));
  const network = { id: "e".repeat(64), name: "app" };
  const networks = { value: [network] } as unknown as HostView["networks"];
  const world = { ...conclusion.world, hosts: conclusion.world.hosts.map((host) => ({ ...host, networks })) };
  const finding = {
    ...target,
    cause,
    kind: "fault",
    confidence: "confirmed",
    summary: "db is at fault",
    shownBy: { host: "h1", containerId: idOf("db") },
    network: { networkId: network.id, networkName: network.name, aliases: ["database", "pg"] },
    citations: [],
  } as unknown as Finding & { confidence: "confirmed" };
  const diagnosis = { ...conclusion.diagnosis, rootCause: finding, contributingFactors: [], handsOff: null };
  return propose({ ...conclusion, world, diagnosis } as Conclusion, { ...policy, ...more });
}

describe("every remediation", () => {
  const each: [string, Cause, Partial<ContainerInspect>, object[], RegExp, object[], RegExp | null][] = [
    [
      "raises memory",
      "pg-work-mem-fanout",
      {},
      [{ action: "update-memory", memoryBytes: 512 * mib, memorySwapBytes: 512 * mib }],
      /256 MiB more of the host's memory/,
      [{ action: "update-memory", memoryBytes: 256 * mib, memorySwapBytes: 256 * mib }],
      /can kill/,
    ],
    ["starts", "dep-stopped", ended, [{ action: "start" }], /it ends again/, [], null],
    ["restarts", "fd-leak", {}, [{ action: "restart", graceSeconds: 10 }], /cut off; it gets 10 seconds/, [], null],
    ["unpauses", "dep-paused", paused, [{ action: "unpause" }], /in the middle of what it did/, [], null],
    [
      "connects a network with the names that are used",
      "network-disconnected",
      {},
      [{ action: "connect-network", networkId: "e".repeat(64), aliases: ["database", "pg"] }],
      /can reach db/,
      [],
      null,
    ],
    [
      "raises the process limit",
      "pids-limit",
      {},
      [{ action: "update-pids-limit", pidsLimit: 256 }],
      /156 more processes and threads/,
      [{ action: "update-pids-limit", pidsLimit: 100 }],
      /makes new processes fail/,
    ],
    [
      "sets a restart policy",
      "daemon-restarted-no-policy",
      ended,
      [{ action: "start" }, { action: "update-restart-policy", restartPolicy: "unless-stopped" }],
      /again and again, at most once a minute/,
      [{ action: "update-restart-policy", restartPolicy: "no" }],
      null,
    ],
  ];
  it.each(each)(
    "that %s explains its values and has preconditions, a risk, a verification and its undo",
    (_, cause, inspect, actions, risk, undo, warning) => {
      const { plan } = proposedFor(cause, inspect);
      expect(plan?.steps.map(({ action }) => action)).toMatchObject(
        actions.map((action) => ({ ...target, ...action })),
      );
      for (const { title, why } of plan?.steps ?? []) {
        expect(title).toContain("db");
        expect(why.length).toBeGreaterThan(10);
      }
      expect(plan?.preconditions).toMatchObject([{ containerId: target.containerId, expect: { pidsLimit: 100 } }]);
      expect(plan?.risks.join(" ")).toMatch(risk);
      expect(plan?.verification).toContain("db is running and stays so");
      expect(plan?.undo).toMatchObject(undo.map((action) => ({ ...target, ...action })));
      if (warning === null) expect(plan?.undoWarning).toBeNull();
      else expect(plan?.undoWarning).toMatch(warning);
    },
  );

  it("does only what its cause may offer, in whatever state the container is", () => {
    for (const cause of Object.keys(causes) as Cause[]) {
      for (const [state, inspect] of states) {
        const { plan } = proposedFor(cause, inspect);
        const offered = causeFacts(cause).mayOffer;
        const beyond = plan?.steps.filter(({ action }) => !offered.includes(action.action)) ?? [];
        expect({ cause, state, beyond }).toEqual({ cause, state, beyond: [] });
        expect({ cause, state, empty: plan?.steps.length === 0 }).toEqual({ cause, state, empty: false });
      }
    }
  });

  it("starts nothing that runs, restarts nothing that does not, and unpauses only what is paused", () => {
    const wrong: Record<string, string[]> = {
      running: ["start", "unpause"],
      paused: ["start", "restart"],
      ended: ["restart", "unpause"],
      looping: ["start", "unpause"],
    };
    for (const cause of Object.keys(causes) as Cause[]) {
      for (const [state, inspect] of states) {
        const actions = proposedFor(cause, inspect).plan?.steps.map(({ action }) => action.action as string) ?? [];
        const found = actions.filter((action) => wrong[state]?.includes(action));
        expect({ cause, state, found }).toEqual({ cause, state, found: [] });
      }
    }
  });

  it("raises no limit that is not there, whatever the cause says", () => {
    expect(proposedFor("pg-work-mem-fanout", { memoryLimitBytes: null })).toEqual({
      plan: null,
      why: "db has no memory limit, so raising it cannot help",
    });
    expect(proposedFor("pids-limit", { pidsLimit: null }).plan?.steps.map(({ action }) => action.action)).toEqual([
      "restart",
    ]);
  });

  it("is made for no protected container, for no cause", () => {
    for (const cause of Object.keys(causes) as Cause[]) {
      expect(proposedFor(cause, ended, { protectedContainers: ["d*"] }).plan).toBeNull();
    }
  });
});
