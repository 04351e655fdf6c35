import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { labDir } from "./lab.ts";

const program = join(import.meta.dirname, "../../bin/room137.js");
/** From Ctrl-C to nothing left: seconds, even on a machine that is busy with a browser. */
const TAKE_DOWN_MS = 60_000;

let stop: (() => Promise<unknown>) | null = null;

afterEach(async () => {
  await stop?.();
  stop = null;
});

describe("room137 drill", () => {
  it("ends at an address where the room is ready, and Ctrl-C takes everything down", async () => {
    const drill = startDrill({});
    stop = drill.stop;
    const said = await drill.until(/open (http:\S+)/);
    const url = /open (http:\S+)/.exec(said)?.[1] ?? "";
    expect(await (await fetch(`${url}/readyz`)).text()).toBe("slack connected\nstore writable\n");
    expect(said).toContain("The lab is real");
    const folder = labDir(`drill-${drill.pid}`);
    expect(existsSync(folder)).toBe(true);
    const before = performance.now();
    drill.interrupt();
    drill.interrupt();
    await drill.ended;
    expect(performance.now() - before).toBeLessThan(TAKE_DOWN_MS);
    expect(existsSync(folder)).toBe(false);
  });

  it("says at once that its port is taken, before it builds anything", async () => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await once(squatter, "listening");
    const address = squatter.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const drill = startDrill({ PORT: String(port) });
    stop = drill.stop;
    expect(await drill.ended).toBe(2);
    squatter.close();
    expect(drill.said()).toMatch(new RegExp(`listening on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*choose another PORT`));
    expect(drill.said()).not.toContain("starting a private lab");
  });
});

function startDrill(env: Record<string, string>) {
  const child = spawn(process.execPath, [program, "drill"], {
    env: { ...process.env, PORT: "0", LOG_LEVEL: "error", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const more = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      for (const wake of more) wake();
    });
  }
  const ended = once(child, "close").then(([code]) => code as number | null);
  return {
    pid: child.pid,
    ended,
    said: () => text,
    interrupt: () => child.kill("SIGINT"),
    stop: async () => {
      if (child.exitCode === null) child.kill("SIGTERM");
      await ended;
    },
    /** What was said up to the end of the line that matches. */
    until: (pattern: RegExp) =>
      new Promise<string>((resolve, reject) => {
        const look = () => {
          if (pattern.test(text) && text.includes("Ctrl-C")) resolve(text);
        };
        more.add(look);
        look();
        void ended.then(() => reject(new Error(`the drill ended early:\n${text}`)));
      }),
  };
}
