import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Reading } from "../../src/core/evidence.ts";
import type { MemorySeries } from "../../src/core/readings.ts";
import { createPrometheus } from "../../src/sources/prometheus.ts";
import { createRedactor } from "../../src/sources/redact.ts";
import { freePort } from "../local-room/open-room.ts";
import { ensurePrograms, programPath } from "./apt.ts";
import { eventually, type ProcessId, startDaemon, terminate } from "./processes.ts";

/** A real Prometheus that scrapes text in the form of cAdvisor's, with its time stamps: a minute passes each scrape. */
const id = "7b".repeat(32);
const mib = 1024 ** 2;
const startMs = Date.now() - 20 * 60_000;
const folder = mkdtempSync(join(tmpdir(), "room137-prometheus-"));
const daemons: ProcessId[] = [];
let scrapes = 0;
let url: string;

const exporter = createServer((_, response) => {
  const atMs = startMs + scrapes * 60_000;
  const labels = `id="/docker/${id}",image="postgres:15",name="db"`;
  const used = (40 + scrapes * 10) * mib;
  scrapes += 1;
  response.setHeader("content-type", "text/plain; version=0.0.4");
  response.end(
    [
      "# TYPE container_memory_working_set_bytes gauge",
      `container_memory_working_set_bytes{${labels}} ${used} ${atMs}`,
      `container_memory_working_set_bytes{id="/",image="",name=""} ${9_000 * mib} ${atMs}`,
      "# TYPE container_memory_usage_bytes gauge",
      `container_memory_usage_bytes{${labels}} ${used + 500 * mib} ${atMs}`,
      "",
    ].join("\n"),
  );
});

beforeAll(async () => {
  await ensurePrograms({ prometheus: "prometheus" }, () => {});
  await new Promise<void>((resolve) => exporter.listen(0, "127.0.0.1", resolve));
  const target = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
  const config = join(folder, "prometheus.yml");
  writeFileSync(
    config,
    `global: { scrape_interval: 300ms, scrape_timeout: 300ms }\nscrape_configs:\n  - { job_name: cadvisor, static_configs: [{ targets: ["${target}"] }] }\n`,
  );
  const place = `127.0.0.1:${await freePort()}`;
  url = `http://${place}`;
  const data = join(folder, "data");
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=${place}`];
  daemons.push(startDaemon("prometheus", programPath("prometheus") as string, args, join(folder, "log")));
});

afterAll(async () => {
  await terminate(daemons);
  exporter.closeAllConnections();
  exporter.close();
  rmSync(folder, { recursive: true, force: true });
});

it("reads the course of a container's memory from a real Prometheus fed by cAdvisor's metrics", async () => {
  const prometheus = createPrometheus({ url, clock: { nowMs: Date.now }, redactor: createRedactor() });
  const list: Reading = {
    source: "docker-list",
    host: "prod-1",
    containerId: null,
    read: "GET /containers/json?all=1",
    atMs: Date.now(),
    sha256: "",
    outcome: { status: "ok", value: [{ id }, { id: "00".repeat(32) }] as never },
  };
  let readings: Reading[] = [];
  const points = () => {
    const [first] = readings;
    return first?.outcome.status === "ok" ? (first.outcome.value as MemorySeries).points : [];
  };
  const there = await eventually(async () => {
    readings = await prometheus([list], Date.now());
    return new Set(points().map(({ bytes }) => bytes)).size >= 10;
  }, 30_000);
  expect(there, JSON.stringify(readings).slice(0, 500)).toBe(true);
  expect(readings.map(({ source, host, containerId }) => [source, host, containerId])).toEqual([
    ["memory-series", "prod-1", id],
  ]);
  const sizes = points().map(({ bytes }) => bytes / mib);
  // The working set, not the usage beside it, and neither the host's own series.
  expect(sizes[0]).toBe(40);
  expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
  expect(Math.max(...sizes)).toBeLessThan(40 + scrapes * 10);
  expect((points()[0]?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(0);
});
