import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { HostAction } from "../../src/core/actions.ts";
import { composeSnippets } from "../../src/render/compose-note.ts";
import { commandsText } from "../../src/render/plan-card.ts";
import { actionCommand, actionWords, duration } from "../../src/render/wording.ts";
import { evidenceText } from "../slack/blocks/arbitrary.ts";
import { foundingPlan } from "./story.ts";

const target = { host: "prod-1", container: "db", containerId: "7b".repeat(32) };

describe("commands to read", () => {
  const each: [HostAction, string][] = [
    [
      { action: "update-memory", ...target, memoryBytes: 1_073_741_824, memorySwapBytes: 1_073_741_824 },
      "docker update --memory 1073741824 --memory-swap 1073741824 db",
    ],
    [{ action: "update-pids-limit", ...target, pidsLimit: 512 }, "docker update --pids-limit 512 db"],
    [
      { action: "update-restart-policy", ...target, restartPolicy: "on-failure", maximumRetryCount: 5 },
      "docker update --restart on-failure:5 db",
    ],
    [{ action: "start", ...target }, "docker start db"],
    [{ action: "restart", ...target, graceSeconds: 10 }, "docker restart --time 10 db"],
    [{ action: "unpause", ...target }, "docker unpause db"],
    [
      { action: "connect-network", ...target, networkId: "n1", networkName: "app", aliases: ["db", "postgres"] },
      "docker network connect --alias db --alias postgres app db",
    ],
  ];

  it.each(each)("has one for %o", (action, command) => {
    expect(actionCommand(action)).toBe(command);
    expect(actionWords(action)).toContain("db on prod-1");
  });

  it("survives a shell as the same words, whatever a container is called", () => {
    const name = evidenceText.filter((text) => text !== "" && !text.includes("\0") && text.isWellFormed());
    fc.assert(
      fc.property(name, (container) => {
        const command = actionCommand({ action: "start", ...target, container });
        const words = execFileSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" }).split("\0");
        expect(words.slice(0, -1)).toEqual(["docker", "start", container]);
      }),
      { numRuns: 60 },
    );
  });

  it("names the host of each, and quotes what a host called itself", () => {
    const step = foundingPlan.steps[1] as (typeof foundingPlan.steps)[number];
    const evil = { ...step, action: { ...step.action, container: "db; reboot", host: "prod-1\nreboot" } };
    expect(commandsText({ plan: { ...foundingPlan, steps: [evil] } })).toBe(
      "# prod-1\\nreboot\ndocker start 'db; reboot'",
    );
  });
});

describe("compose lines", () => {
  it("say the approved memory and swap in both forms", () => {
    const snippets = composeSnippets(foundingPlan);
    expect(parse(snippets?.current ?? "")).toEqual({
      services: { db: { deploy: { resources: { limits: { memory: "1g" } } } } },
    });
    expect(parse(snippets?.older ?? "")).toEqual({ services: { db: { mem_limit: "1g", memswap_limit: "1g" } } });
  });

  it("stay one key, whatever the service is called", () => {
    const service = "db: {}\n  evil";
    const note = { service, lines: ["restart: unless-stopped"] };
    const snippets = composeSnippets({ ...foundingPlan, composeNote: note });
    expect(parse(snippets?.current ?? "")).toEqual({ services: { [service]: { restart: "unless-stopped" } } });
    expect(snippets?.older).toBeNull();
  });
});

it("says durations as people do", () => {
  expect([900, 59_000, 60_000, 262_100, 3_600_000, 7_380_000].map(duration)).toEqual([
    "1 s",
    "59 s",
    "1 min",
    "4 min 22 s",
    "1 h",
    "2 h 3 min",
  ]);
});
