import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DockerRead, HostReader, RawOutput, RawProbe, RawReply, ReadCommand } from "../../src/ports.ts";
import { createRedactor } from "../../src/sources/redact.ts";

/** Answers recorded from a real Docker Engine 20.10.24 with cgroup v1. */
export function recorded(name: string): Buffer {
  return readFileSync(join(import.meta.dirname, "../fixtures/docker-20.10", name));
}

export function recordedJson(name: string) {
  return JSON.parse(recorded(name).toString("utf8"));
}

export function reply(body: Buffer | string, status = 200, truncated = false): RawReply {
  return { ok: true, status, body: Buffer.from(body), truncated, read: "GET /fake", tookMs: 1 };
}

export function output(stdout: string, exitCode = 0, stderr = ""): RawOutput {
  const read = "fake command";
  return {
    ok: true,
    exitCode,
    stdout: Buffer.from(stdout),
    stderr: Buffer.from(stderr),
    truncated: false,
    read,
    tookMs: 4,
  };
}

export const noAnswer = {
  ok: false as const,
  code: "unreachable" as const,
  reason: "the connection was lost",
  fix: null,
  read: "fake",
  tookMs: 1,
};

export function fakeReader(answers: {
  docker?: (read: DockerRead, signal?: AbortSignal) => RawReply | Promise<RawReply>;
  run?: (command: ReadCommand) => RawOutput | Promise<RawOutput>;
  probe?: () => RawProbe;
  kernelLog?: HostReader["kernelLog"];
}): HostReader {
  return {
    host: "h",
    kernelLog: answers.kernelLog ?? "auto",
    docker: async (read, signal) => answers.docker?.(read, signal) ?? noAnswer,
    run: async (command) => answers.run?.(command) ?? noAnswer,
    probe: async () => answers.probe?.() ?? Promise.reject(new Error("no probe expected")),
    followEvents: () => Promise.reject(new Error("no events expected")),
  };
}

export function context() {
  return {
    clock: { nowMs: () => 1_800_000_000_000 },
    redactor: createRedactor(),
    signal: new AbortController().signal,
  };
}

export const dbId = recordedJson("inspect-db.json").Id as string;
