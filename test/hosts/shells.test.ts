import { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import type ssh2 from "ssh2";
import { expect, it } from "vitest";
import { createKeptShells } from "../../src/hosts/shells.ts";

/** A real `sh` behind the surface of an SSH channel. */
function realShell(started: { count: number }): ssh2.ClientChannel {
  started.count += 1;
  const child = spawn("sh", { stdio: ["pipe", "pipe", "pipe"] });
  const channel = new EventEmitter();
  child.stdout.on("data", (chunk) => channel.emit("data", chunk));
  child.once("close", () => {
    Object.assign(channel, { writable: false });
    channel.emit("close");
  });
  child.stdin.on("error", () => {});
  const parts = {
    stderr: child.stderr,
    writable: true,
    write: (text: string) => child.stdin.write(text),
    destroy: () => child.kill("SIGKILL"),
  };
  return Object.assign(channel, parts) as unknown as ssh2.ClientChannel;
}

function options(more: { maxBytes?: number; timeoutMs?: number } = {}) {
  const { maxBytes = 1_000_000, timeoutMs = 10_000 } = more;
  return { maxBytes, timeoutMs, signal: AbortSignal.timeout(timeoutMs) };
}

it("runs many commands in a few kept shells and tells each its own output and exit code", async () => {
  const started = { count: 0 };
  const shells = createKeptShells(async () => realShell(started));
  const lines = Array.from({ length: 40 }, (_, at) => `sh -c 'echo out${at}; echo err${at} >&2; exit ${at % 7}'`);
  const results = await Promise.all(lines.map((line) => shells.run(line, options())));
  for (const [at, result] of results.entries()) {
    expect(result).toMatchObject({ ok: true, exitCode: at % 7, truncated: false });
    if (result?.ok) expect([result.stdout.toString(), result.stderr.toString()]).toEqual([`out${at}\n`, `err${at}\n`]);
  }
  expect(started.count).toBeLessThanOrEqual(3);
});

it("keeps bytes as they are, without a last newline, and large ones", async () => {
  const shells = createKeptShells(async () => realShell({ count: 0 }));
  const bytes = await shells.run("printf 'a\\000b\\377'", options());
  expect(bytes?.ok === true && [...bytes.stdout]).toEqual([97, 0, 98, 255]);
  const large = await shells.run("head -c 900000 /dev/zero", options());
  expect(large?.ok === true && large.stdout.length).toBe(900_000);
});

it("cuts what is too much and goes on with a fresh shell", async () => {
  const started = { count: 0 };
  const shells = createKeptShells(async () => realShell(started));
  const cut = await shells.run("head -c 500000 /dev/zero", options({ maxBytes: 1_000 }));
  expect(cut).toMatchObject({ ok: true, truncated: true });
  expect(cut?.ok === true && cut.stdout.length).toBe(1_000);
  expect(await shells.run("echo next", options())).toMatchObject({ ok: true, exitCode: 0 });
  expect(started.count).toBe(2);
});

it("gives up a command that hangs and goes on with a fresh shell", async () => {
  const shells = createKeptShells(async () => realShell({ count: 0 }));
  expect(await shells.run("sleep 30", options({ timeoutMs: 200 }))).toMatchObject({ ok: false, code: "timeout" });
  expect(await shells.run("echo next", options())).toMatchObject({ ok: true, exitCode: 0 });
});

it("says null where the server answers something else than a shell, and does not ask again", async () => {
  const asked = { count: 0 };
  const shells = createKeptShells(async () => {
    asked.count += 1;
    return null;
  });
  expect(await shells.run("true", options())).toBeNull();
  expect(await shells.run("true", options())).toBeNull();
  expect(asked.count).toBe(1);
});
