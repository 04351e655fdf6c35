import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { type ActionPolicy, propose } from "../../../src/core/propose.ts";
import type { ContainerInspect, EngineInfo, HostFacts } from "../../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const mib = 1024 * 1024;
const gib = 1024 * mib;
const policy: ActionPolicy = {
  maxMemoryBytes: null,
  maxHostMemoryPercent: 80,
  protectedContainers: [],
  policyVersion: "1",
};

interface Kill {
  limitMib: number;
  totalVmMib?: number;
  inspect?: Partial<ContainerInspect>;
  facts?: Partial<HostFacts>;
  engine?: Partial<EngineInfo>;
  cgroup?: string;
}

/** One service, killed at a limit a minute ago. */
function killed({ limitMib, totalVmMib = limitMib, inspect = {}, facts = {}, engine = {}, cgroup }: Kill): SceneHost {
  const id = idOf("svc");
  const kb = limitMib * 1024;
  const group = cgroup ?? `/docker/${id}`;
  return {
    containers: [
      {
        name: "svc",
        inspect: {
          status: "exited",
          exitCode: 137,
          memoryLimitBytes: limitMib * mib,
          memorySwapBytes: limitMib * mib,
          ...inspect,
        },
      },
    ],
    events: [
      { name: "svc", action: "oom", atMs: askedAtMs - 60_100 },
      { name: "svc", action: "die", atMs: askedAtMs - 60_000, attributes: { exitCode: "137" } },
    ],
    facts,
    engine,
    kernel: [
      "[ 3539.800000] svc invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
      `[ 3539.810000] memory: usage ${kb}kB, limit ${kb}kB, failcnt 31`,
      `[ 3539.820000] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${id},mems_allowed=0,oom_memcg=${group},task_memcg=/docker/${id},task=svc,pid=4821,uid=0`,
      `[ 3539.830000] Memory cgroup out of memory: Killed process 4821 (svc) total-vm:${totalVmMib * 1024}kB, anon-rss:${kb - 900}kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:600kB oom_score_adj:0`,
    ].join("\n"),
  };
}

function proposed(scene: SceneHost, more: Partial<ActionPolicy> = {}) {
  return propose(diagnose(questionAbout("svc"), readingsOf(scene)), { ...policy, ...more });
}

function raise(scene: SceneHost, more: Partial<ActionPolicy> = {}) {
  const { plan } = proposed(scene, more);
  const step = plan?.steps.find(({ action }) => action.action === "update-memory");
  return step?.action.action === "update-memory" ? { ...step.action, why: step.why, risks: plan?.risks ?? [] } : null;
}

describe("the size of a raise", () => {
  it("is peak use times 1.5 plus overhead, but at least twice a limit that hides the peak", () => {
    const step = raise(killed({ limitMib: 1024 }));
    expect(step?.memoryBytes).toBe(2 * gib);
    expect(step?.why).toContain("hides the true peak");
  });

  it("follows the address space the killed process had asked for, up to four times the limit", () => {
    expect(raise(killed({ limitMib: 256, totalVmMib: 900 }))?.memoryBytes).toBe(960 * mib);
    expect(raise(killed({ limitMib: 256, totalVmMib: 9_000 }))?.memoryBytes).toBe(gib);
  });

  it("ignores the address space of a runtime that reserves more than it uses", () => {
    expect(
      raise(killed({ limitMib: 512, totalVmMib: 9_000, inspect: { command: ["node", "server.js"] } }))?.memoryBytes,
    ).toBe(gib);
  });

  it("is never below what its kind of server should have", () => {
    expect(raise(killed({ limitMib: 128, inspect: { image: "postgres:16" } }))?.memoryBytes).toBe(gib);
  });

  it("stays below the policy's ceiling", () => {
    expect(raise(killed({ limitMib: 1024 }), { maxMemoryBytes: 1536 * mib })?.memoryBytes).toBe(1536 * mib);
  });

  it("stays below the policy's share of the host and below what the host has free", () => {
    expect(raise(killed({ limitMib: 1024, facts: { memoryTotalBytes: 2 * gib } }))?.memoryBytes).toBeLessThanOrEqual(
      0.8 * 2 * gib,
    );
    const free = raise(killed({ limitMib: 1024, facts: { memoryAvailableBytes: 2 * gib } }));
    expect(free?.memoryBytes).toBe(1632 * mib);
    expect(free?.why).toContain("held at 1.6 GiB by the host's free memory");
  });

  it("counts what a container holds of its limit only while it runs", () => {
    const facts = { memoryAvailableBytes: 500 * mib };
    const looping = { status: "restarting", restarting: true, restartCount: 9 } as const;
    const always = { restartPolicy: { name: "always", maximumRetryCount: 0 } };
    expect(raise(killed({ limitMib: 1024, facts, inspect: { ...looping, ...always } }))?.memoryBytes).toBe(1424 * mib);
    expect(proposed(killed({ limitMib: 1024, facts }))).toMatchObject({
      plan: null,
      why: "svc needs more than 1 GiB, and the host's free memory allows only 400 MiB",
    });
  });

  it("is a low risk up to four times the limit, and a medium one beyond", () => {
    const riskAt = (limitMib: number) => proposed(killed({ limitMib, inspect: { image: "postgres:16" } })).plan;
    expect(riskAt(256)).toMatchObject({ risk: "low", steps: [{ action: { memoryBytes: gib } }, {}] });
    expect(riskAt(255)).toMatchObject({ risk: "medium", steps: [{ action: { memoryBytes: gib } }, {}] });
  });

  it("is refused where the host has nothing to give, with both figures", () => {
    const answer = proposed(killed({ limitMib: 1024, facts: { memoryAvailableBytes: 50 * mib } }));
    expect(answer).toMatchObject({ plan: null, why: expect.stringContaining("the host's free memory allows only") });
  });
});

describe("memory and swap together", () => {
  it("are raised in one step, also to more than double, where the sum it had would stand in the way", () => {
    const postgres = { image: "postgres:16", memorySwapBytes: 256 * mib };
    const { plan } = proposed(killed({ limitMib: 128, inspect: postgres, facts: { swapTotalBytes: 0 } }));
    expect(plan?.steps[0]).toMatchObject({
      action: { action: "update-memory", memoryBytes: gib, memorySwapBytes: gib },
      title: "raise the memory limit of svc from 128 MiB to 1 GiB, memory plus swap to 1 GiB",
    });
    expect(plan?.risks.join(" ")).toContain("Swap for svc is turned off; the host has none to give.");
    expect(plan?.undo).toMatchObject([{ memoryBytes: 128 * mib, memorySwapBytes: 256 * mib }]);
    expect(plan?.undoWarning).toContain("can kill the container at once");
    const swap = raise(killed({ limitMib: 128, inspect: postgres, facts: { swapTotalBytes: gib } }));
    expect(swap).toMatchObject({ memoryBytes: gib, memorySwapBytes: gib + 128 * mib });
  });

  it.each([1, 2] as const)("are the same on cgroup v%i, whose kernels word a kill differently", (cgroupVersion) => {
    const scene = killed({ limitMib: 256, engine: { cgroupVersion } });
    const id = idOf("svc");
    if (cgroupVersion === 2) {
      // The default driver there is systemd, and the group has another path.
      scene.kernel = (scene.kernel as string).replaceAll(`/docker/${id}`, `/system.slice/docker-${id}.scope`);
    }
    expect(raise(scene)).toMatchObject({ containerId: id, memoryBytes: 512 * mib, memorySwapBytes: 512 * mib });
  });

  it("says so where the kernel cannot cap swap", () => {
    const step = raise(killed({ limitMib: 256, engine: { swapLimit: false } }));
    expect(step?.memorySwapBytes).toBe(step?.memoryBytes);
    expect(step?.risks.join(" ")).toContain("cannot cap swap");
  });

  it("leaves unlimited swap unlimited", () => {
    expect(raise(killed({ limitMib: 256, inspect: { memorySwapBytes: -1 } }))?.memorySwapBytes).toBe(-1);
  });

  it("keeps the swap it had where the host has swap, and never lowers the sum", () => {
    const had = { memorySwapBytes: 512 * mib };
    const step = raise(killed({ limitMib: 256, inspect: had, facts: { swapTotalBytes: gib } }));
    expect((step?.memorySwapBytes ?? 0) - (step?.memoryBytes ?? 0)).toBe(256 * mib);
    const capped = raise(killed({ limitMib: 256, inspect: { memorySwapBytes: 2 * gib } }), {
      maxMemoryBytes: 384 * mib,
    });
    expect(capped?.memorySwapBytes).toBe(2 * gib);
  });
});

describe("a raise is not offered", () => {
  it("for a limit of a group above, which docker update does not change", () => {
    expect(raise(killed({ limitMib: 256, cgroup: "/tenant-a", inspect: { memoryLimitBytes: null } }))).toBeNull();
  });

  it("where somebody has raised the limit since the kill: only the start is left", () => {
    const { plan } = proposed(killed({ limitMib: 256, inspect: { memoryLimitBytes: gib, memorySwapBytes: gib } }));
    expect(plan?.steps.map(({ action }) => action.action)).toEqual(["start"]);
  });

  it("for an end that had nothing to do with memory", () => {
    const scene = killed({ limitMib: 256 });
    scene.kernel = "";
    scene.events = [
      { name: "svc", action: "kill", atMs: askedAtMs - 60_100, attributes: { signal: "9" } },
      { name: "svc", action: "die", atMs: askedAtMs - 60_000, attributes: { exitCode: "137" } },
    ];
    expect(proposed(scene).plan?.steps.map(({ action }) => action.action)).toEqual(["start"]);
  });
});

describe("a lowered limit", () => {
  it("goes back to exactly what it was, where a replica still has it", () => {
    const scene = killed({
      limitMib: 256,
      inspect: { labels: { "com.docker.compose.service": "svc", "com.docker.compose.project": "p" } },
    });
    scene.containers.push({
      name: "svc-2",
      inspect: {
        memoryLimitBytes: 700 * mib,
        labels: { "com.docker.compose.service": "svc", "com.docker.compose.project": "p" },
      },
    });
    scene.events?.unshift({ name: "svc", action: "update", atMs: askedAtMs - 600_000 });
    const question = questionAbout("svc", ["h1"], {
      settings: {
        hosts: [],
        services: [{ name: "svc", hosts: [], container: "svc", port: null, probes: [], dependsOn: [] }],
      },
    });
    const conclusion = diagnose(question, readingsOf(scene));
    expect(conclusion.diagnosis.rootCause).toMatchObject({ cause: "limit-lowered-live", container: "svc" });
    const { plan } = propose(conclusion, policy);
    expect(plan?.steps[0]?.action).toMatchObject({ action: "update-memory", memoryBytes: 700 * mib });
    expect(plan?.steps[0]?.why).toContain("back to 700 MiB");
  });
});
