import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { readSignals } from "../../../src/core/log-signals.ts";
import type { ContainerInspect } from "../../../src/core/readings.ts";
import { questionAbout, readingsOf } from "../scene.ts";

const rootOf = (logs: string[], inspect: Partial<ContainerInspect>) =>
  diagnose(questionAbout("web"), readingsOf({ containers: [{ name: "web", logs, inspect }] })).diagnosis.rootCause;

const ended: Partial<ContainerInspect> = { running: false, status: "exited", exitCode: 1 };

describe("a setting that is not there, in other languages' words", () => {
  const required = ["DATABASE_URL", "  Field required [type=missing, input_value={}, input_type=dict]"];

  it.each([
    [`config/boot.rb:12:in 'Hash#fetch': key not found: "DATABASE_URL" (KeyError)`],
    ["required key DATABASE_URL missing value"],
    required,
  ])("%s", (...logs) => {
    expect(rootOf(logs, ended)).toMatchObject({ cause: "env-missing", container: "web" });
  });

  it("is not what a running service says of a request that lacks a field", () => {
    expect(rootOf(required, {})?.cause ?? null).not.toBe("env-missing");
  });
});

describe("request logs of other forms", () => {
  const signalOf = (text: string) =>
    readSignals([{ text, atMs: null, stream: "stdout" }]).map(({ kind, parts }) => `${kind} ${parts["path"] ?? ""}`);

  it.each([
    ["GET /report 200 3004ms", "http-ok /report"],
    ['{"method":"GET","path":"/report","status":200,"ms":3004}', "http-ok /report"],
    ['{"status":201,"url":"/report?a=1"}', "http-ok /report"],
    ["level=error method=GET path=/report status=503", "http-5xx /report"],
    ["status=500 request_id=9", "http-5xx "],
  ])("%s", (text, signal) => {
    expect(signalOf(text)).toContain(signal);
  });

  it("takes no path of a failing request for a success", () => {
    expect(signalOf('{"path":"/report","status":500}')).toEqual(["http-5xx /report"]);
  });
});

describe("a peer that is named in other libraries' words", () => {
  const saying = (text: string) =>
    readSignals([{ text, atMs: null, stream: "stdout" }])
      .filter(({ kind }) => kind === "peer-name-unknown" || kind === "peer-http-error")
      .map(({ kind, peerHost, peerPort }) => `${kind} ${peerHost} ${peerPort}`);

  it.each([
    ["IO::Socket::INET: Bad hostname 'kv' (Invalid argument)", "peer-name-unknown kv null"],
    ["connect: host not found: kv", "peer-name-unknown kv null"],
    [
      "(DBConnection.ConnectionError) tcp connect (db:5432): non-existing domain - :nxdomain",
      "peer-name-unknown db 5432",
    ],
    ["{:failed_connect, [{:to_address, {'kv', 80}}, {:inet, [:inet], :nxdomain}]}", "peer-name-unknown kv 80"],
    ["SocketException: Failed host lookup: 'kv' (OS Error: Name or service not known)", "peer-name-unknown kv null"],
    ["No such host is known. (db:5432)", "peer-name-unknown db 5432"],
    ["dns error: failed to lookup address information: Name or service not known", "peer-name-unknown null null"],
    ["AxiosError: Request failed with status code 502 http://api:8080/x", "peer-http-error api 8080"],
    ['HttpServerErrorException: 500 on GET request for "http://api:8080/x"', "peer-http-error api 8080"],
    [
      "FeignException: [503 Service Unavailable] during [GET] to [http://api:8080/x] [Api#x()]",
      "peer-http-error api 8080",
    ],
    ["Server error: `GET http://api/x` resulted in a `500 Internal Server Error` response", "peer-http-error api null"],
    ["the server responded with status 500", "peer-http-error null null"],
    ["HTTPError: Response code 500 (Internal Server Error) http://api:8080/x", "peer-http-error api 8080"],
  ])("%s", (text, told) => {
    expect(saying(text)).toEqual([told]);
  });

  it("reads who closed a connection, unless it was a client", () => {
    const closed = (text: string) =>
      readSignals([{ text, atMs: null, stream: "stdout" }]).flatMap(({ kind, peerHost }) =>
        kind === "peer-closed" ? [peerHost] : [],
      );
    expect(closed("error: cannot talk to kv:11211: Connection reset by peer")).toEqual(["kv"]);
    expect(closed("error: reply to 10.0.0.9:51234: Connection reset by peer")).not.toContain("10.0.0.9");
  });

  it("takes a referrer in an access log for no peer", () => {
    expect(saying('10.0.0.2 - - [01/Jan/2026] "GET / HTTP/1.1" 500 167 "http://api:8080/" "curl/7.88.1"')).toEqual([]);
  });
});

it("takes a line for as old as it says, where it was printed again days later", () => {
  const old = "2025-12-29T03:12:05.100Z FATAL java.lang.OutOfMemoryError: Java heap space";
  const [signal] = readSignals([{ text: old, atMs: Date.UTC(2026, 0, 1), stream: "stdout" }]);
  expect(signal?.line.atMs).toBe(Date.UTC(2025, 11, 29, 3, 12, 5));
  const zone = "2025-12-31 14:00:00 FATAL java.lang.OutOfMemoryError: Java heap space";
  const [near] = readSignals([{ text: zone, atMs: Date.UTC(2026, 0, 1), stream: "stdout" }]);
  expect(near?.line.atMs).toBe(Date.UTC(2026, 0, 1));
});
