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
