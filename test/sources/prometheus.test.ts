import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Reading } from "../../src/core/evidence.ts";
import { limits } from "../../src/core/limits.ts";
import type { MemorySeries } from "../../src/core/readings.ts";
import { createPrometheus } from "../../src/sources/prometheus.ts";
import { createRedactor } from "../../src/sources/redact.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);
const db = "ab".repeat(32);
const web = "cd".repeat(32);
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A list of two containers, as every investigation reads it first. */
const listed: Reading = {
  source: "docker-list",
  host: "h1",
  containerId: null,
  read: "GET /containers/json?all=1",
  atMs: nowMs,
  sha256: "",
  outcome: { status: "ok", value: [{ id: db }, { id: web }] as never },
};

async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const read = (url: string, timeoutMs = 5_000) =>
  createPrometheus({ url, clock: { nowMs: () => nowMs }, redactor: createRedactor(), timeoutMs })([listed], nowMs);

/** Answers both queries alike, in the form of Prometheus' HTTP API. */
const matrix =
  (result: unknown[]): RequestListener =>
  (_, response) =>
    void response.end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));

const at = (backS: number) => nowMs / 1_000 - backS;
const seriesOf = (readings: Reading[]) =>
  Object.fromEntries(
    readings.map(({ containerId, outcome }) => [
      containerId,
      outcome.status === "ok" ? (outcome.value as MemorySeries).points : outcome.status,
    ]),
  );

describe("memory from Prometheus", () => {
  it("is asked for by container id, a day coarsely and an hour finely, and is told apart by cAdvisor's id label", async () => {
    const asked: URLSearchParams[] = [];
    const url = await answering((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        asked.push(new URLSearchParams(body));
        const fine = asked.at(-1)?.get("step") === "15";
        const values = fine
          ? [
              [at(15), "300"],
              [at(0), "400"],
            ]
          : [
              [at(120), "100"],
              [at(60), "200"],
              [at(0), "9"],
            ];
        const result = [
          { metric: { id: `/system.slice/docker-${db}.scope`, name: "db" }, values },
          { metric: { id: `/kubepods/pod1/${"ef".repeat(32)}`, name: "other" }, values },
          { metric: { id: "/", name: "all" }, values },
        ];
        matrix(result)(request, response as never);
      });
    });
    const readings = await read(`${url}/prefix/`);
    expect(seriesOf(readings)).toEqual({
      [db]: [
        { atMs: nowMs - 120_000, bytes: 100 },
        { atMs: nowMs - 60_000, bytes: 200 },
        { atMs: nowMs - 15_000, bytes: 300 },
        { atMs: nowMs, bytes: 400 },
      ],
    });
    expect(asked.map((one) => [one.get("step"), nowMs / 1_000 - Number(one.get("start"))]).toSorted()).toEqual([
      ["15", 3_600],
      ["60", 86_400],
    ]);
    const selector = `{id=~".*(?:${db}|${web}).*"}`;
    expect(asked[0]?.get("query")).toBe(
      `container_memory_working_set_bytes${selector} or container_memory_usage_bytes${selector}`,
    );
    expect(readings[0]?.read).toContain(
      `${url}/prefix/api/v1/query_range container_memory_working_set_bytes{id=~".*${db}.*"}`,
    );
  });

  it("keeps only numbers of what it is given, and of two jobs that scrape the same the fuller one", async () => {
    const id = `/docker/${db}`;
    const url = await answering(
      matrix([
        {
          metric: { id, job: "a" },
          values: [[at(30), "NaN"], [at(20), "+Inf"], ["x", "1"], [at(10), "-1"], [at(5), ""], null, 3],
        },
        {
          metric: { id, job: "b" },
          values: [
            [at(2), "7"],
            [at(1), "8"],
          ],
        },
        { metric: { id, job: "c" }, values: [[at(2), "9"]] },
        { metric: null, values: "x" },
      ]),
    );
    expect(seriesOf(await read(url))).toEqual({
      [db]: [
        { atMs: nowMs - 2_000, bytes: 7 },
        { atMs: nowMs - 1_000, bytes: 8 },
      ],
    });
  });

  it("sends user and password of the address as a login, and shows neither", async () => {
    const logins: (string | undefined)[] = [];
    const url = await answering((request, response) => {
      logins.push(request.headers.authorization);
      response.writeHead(401).end();
    });
    const [reading, ...more] = await read(url.replace("http://", "http://ops:hunter2@"));
    expect(more).toEqual([]);
    expect(logins[0]).toBe(`Basic ${Buffer.from("ops:hunter2").toString("base64")}`);
    expect(reading).toMatchObject({ source: "memory-series", host: "h1", containerId: null });
    expect(reading?.outcome).toMatchObject({ status: "failed", code: "permission-denied" });
    expect(JSON.stringify(reading)).not.toMatch(/ops|hunter2/);
  });

  it.each<[string, RequestListener, string, RegExp]>([
    [
      "a refused query",
      (_, response) => response.writeHead(422).end('{"status":"error","error":"too many samples"}'),
      "failed",
      /too many samples/,
    ],
    ["another server", (_, response) => response.end("<html>"), "malformed", /not the JSON/],
    ["a broken server", (_, response) => response.writeHead(503).end("no"), "failed", /HTTP 503/],
    [
      "a server that sends elsewhere",
      (_, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
      "unreachable",
      /./,
    ],
    [
      "an answer without end",
      (_, response) => void response.write(Buffer.alloc(limits.prometheusReplyBytes + 1, " ")),
      "too-large",
      /larger/,
    ],
    ["a server that says nothing", () => {}, "timeout", /no answer within 300 ms/],
  ])("becomes a failed reading with %s", async (_name, listener, code, reason) => {
    const [reading] = await read(await answering(listener), code === "timeout" ? 300 : 5_000);
    expect(reading?.outcome).toMatchObject({ status: "failed", code, reason: expect.stringMatching(reason) });
  });

  it("becomes a failed reading where nobody listens, and nothing where no container is listed", async () => {
    const [reading] = await read("http://127.0.0.1:1");
    expect(reading?.outcome).toMatchObject({ status: "failed", code: "unreachable" });
    const none = createPrometheus({
      url: "http://127.0.0.1:1",
      clock: { nowMs: () => nowMs },
      redactor: createRedactor(),
    });
    expect(await none([], nowMs)).toEqual([]);
  });
});
