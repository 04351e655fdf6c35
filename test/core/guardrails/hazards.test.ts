import { describe, expect, it } from "vitest";
import { hazardsOf } from "../../../src/core/guardrails/hazards.ts";
import { parseComposeFile } from "../../../src/sources/compose-file.ts";

function lint(yaml: string): string[] {
  const file = parseComposeFile(yaml);
  return file.services.flatMap(({ workload, line }) =>
    hazardsOf(workload)
      .filter((hazard) => hazard.level !== "info")
      .map((hazard) => `${line} ${workload.name} ${hazard.level} ${hazard.rule}`),
  );
}

describe("hazards of a compose file", () => {
  it("catch PostgreSQL with a 256 MiB cap before it is deployed", () => {
    expect(lint("services:\n  db:\n    image: postgres:16\n    mem_limit: 256m\n")).toEqual([
      "2 db error memory-floor",
    ]);
  });

  it("say that a restart policy makes a crash loop of it", () => {
    const yaml =
      "services:\n  db:\n    image: postgres\n    restart: always\n    deploy:\n      resources:\n        limits:\n          memory: 256M\n";
    expect(lint(yaml)).toEqual(["2 db error memory-floor", "2 db error restart-with-tight-limit"]);
  });

  it.each([
    [
      "image: postgres\n    mem_limit: 2g\n    command: postgres -c shared_buffers=1GB",
      "error shared-buffers-over-limit",
    ],
    [
      "image: postgres\n    mem_limit: 2g\n    command: [postgres, -c, shared_buffers=131072]",
      "error shared-buffers-over-limit",
    ],
    [
      "image: acme/shop\n    mem_limit: 1g\n    environment:\n      JAVA_TOOL_OPTIONS: -Xmx2g",
      "error jvm-heap-over-limit",
    ],
    [
      "image: acme/shop\n    mem_limit: 1g\n    environment: [JAVA_OPTS=-Xms256m -Xmx900m]",
      "warning jvm-heap-over-limit",
    ],
    [
      "image: node:22\n    mem_limit: 512m\n    environment:\n      NODE_OPTIONS: --max-old-space-size=1024",
      "error node-heap-over-limit",
    ],
    ["image: redis:7\n    mem_limit: 256m", "warning redis-without-maxmemory"],
    [
      "image: redis:7\n    mem_limit: 256m\n    command: redis-server --maxmemory 1gb",
      "error redis-maxmemory-over-limit",
    ],
    ["image: acme/api\n    mem_limit: 256m\n    environment:\n      GOMEMLIMIT: 1GiB", "error gomemlimit-over-limit"],
    ["image: acme/api\n    mem_limit: 256m\n    oom_kill_disable: true", "error oom-kill-disabled"],
    ["image: acme/api", "warning no-memory-limit"],
  ])("%s -> %s", (service, expected) => {
    expect(lint(`services:\n  s:\n    ${service}\n`)).toEqual([`2 s ${expected}`]);
  });

  it.each([
    "image: postgres\n    mem_limit: 1g",
    "image: postgres\n    mem_limit: 2g\n    command: -c shared_buffers=512MB",
    "image: prom/postgres-exporter\n    mem_limit: 64m",
    "image: acme/shop\n    mem_limit: 1g\n    environment:\n      JAVA_OPTS: -Xmx700m",
    "image: redis:7\n    mem_limit: 1g\n    command: redis-server --maxmemory 512mb",
  ])("stay silent for %s", (service) => {
    expect(lint(`services:\n  s:\n    ${service}\n`)).toEqual([]);
  });

  it("read anchors, merges and defaults of variables", () => {
    const yaml =
      "x-small: &small\n  mem_limit: $" + "{DB_MEMORY:-128m}\nservices:\n  db:\n    <<: *small\n    image: postgres\n";
    expect(lint(yaml)).toEqual(["4 db error memory-floor"]);
  });

  it("name the line of what is no compose file", () => {
    expect(parseComposeFile("services:\n  db: [").problems[0]).toMatchObject({ line: 2 });
    expect(parseComposeFile("a: 1").problems[0]?.message).toBe("there is no services: section");
  });
});
