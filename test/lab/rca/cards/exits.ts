import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { backend, callsFail, fault, webAndBackend } from "./backend.ts";
import { python } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

type Action = Truth["allowed"][number]["action"];

/** A backend that ends in its own way when `/end` is asked for. */
function endsBy(
  id: string,
  cause: Truth["causes"][number],
  about: string,
  code: string,
  args: string[] = [],
  allowed: Action[] = ["start"],
): Card {
  return {
    id,
    family: "B",
    about,
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, { handle: `if path == "/end":\n    import ctypes\n    ${code}` }, args);
      await stage.get(api, 9000, "/end");
      return fault(stage, cause, api, allowed);
    },
  };
}

/** Something that never becomes a running program, behind a web that needs it. */
function neverRuns(
  id: string,
  cause: Truth["causes"][number],
  about: string,
  start: (stage: Stage, name: string) => Promise<unknown>,
): Card {
  return {
    id,
    family: "B",
    about,
    async inject(stage) {
      const { api, web } = stage.names;
      await start(stage, api).catch(() => {});
      await stage.service(web, {
        env: { UPSTREAMS: `http://${api}:9000/work`, LOG_STYLE: stage.random.pick(["python", "node", "go", "java"]) },
      });
      return fault(stage, cause, api, []);
    },
  };
}

async function script(stage: Stage, text: string, mode: number): Promise<string[]> {
  const folder = await mkdtemp(join(stage.lab.dir, "script-"));
  await chmod(folder, 0o755);
  const file = join(folder, "run.sh");
  await writeFile(file, text);
  await chmod(file, mode);
  return ["--volume", `${file}:/app/run.sh:ro`];
}

async function hostPid(stage: Stage, name: string): Promise<number> {
  return Number((await stage.docker("inspect", "--format", "{{.State.Pid}}", name)).trim());
}

export const exitCards: readonly Card[] = [
  {
    id: "stop-grace-exceeded",
    family: "B",
    about: "docker stop of a program that ignores TERM",
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, { handle: "pass" });
      await stage.docker(
        ...stage.random.pick([
          ["stop", "--time", "2"],
          ["stop", "--time", "1"],
        ]),
        api,
      );
      return fault(stage, "stop-grace-exceeded", api, ["start"]);
    },
  },
  {
    id: "pg-smart-shutdown-timeout",
    family: "B",
    about: "docker stop while a client stays connected: smart shutdown waits until it is killed",
    async inject(stage) {
      const { web, db } = stage.names;
      await webAndDatabase(stage, { webEnv: { LEAK: "1" } });
      await stage.docker("stop", "--time", "3", db);
      return fault(stage, "pg-smart-shutdown-timeout", db, ["start"], { service: web, shows: itemsFail(stage) });
    },
  },
  {
    id: "stopped-clean-143",
    family: "B",
    about: "docker stop of a program that ends by TERM",
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, {
        handle: "pass",
        setup: "import signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(143))",
      });
      await stage.docker("stop", api);
      return fault(stage, "stopped-clean-143", api, ["start"]);
    },
  },
  {
    id: "external-sigkill",
    family: "B",
    about: "kill -9 of the main process from the host",
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, { handle: "pass" });
      await stage.until("the window before is covered", past(16_000), 20_000);
      process.kill(await hostPid(stage, api), "SIGKILL");
      return fault(stage, "external-sigkill", api, ["start"]);
    },
  },
  {
    id: "manual-docker-kill-after-reload",
    family: "B",
    about: "kill -9 from the host a while after a reload signal through Docker",
    async inject(stage) {
      const { api } = stage.names;
      await webAndBackend(stage, api, {
        handle: "pass",
        setup: "import signal\nsignal.signal(signal.SIGHUP, lambda *_: None)",
      });
      await stage.docker("kill", "--signal", "HUP", api);
      await stage.until("the window before is covered", past(16_000), 20_000);
      process.kill(await hostPid(stage, api), "SIGKILL");
      return fault(stage, "external-sigkill", api, ["start"]);
    },
  },
  endsBy("segfault-139", "segfault-139", "native code reads address 0", "ctypes.string_at(0)"),
  endsBy("app-abort-pid1", "app-abort", "abort() in process 1 ends as 139", "os.abort()"),
  endsBy("app-abort-init", "app-abort", "abort() under an init ends as 134", "os.abort()", ["--init"]),
  endsBy(
    "completed-exit-0",
    "completed-exit-0",
    "the main command comes to its end",
    "os._exit(0)",
    [],
    ["start", "update-restart-policy"],
  ),
  neverRuns("unhandled-exception", "unhandled-exception", "an exception right at the start", (stage, name) =>
    python(
      stage,
      name,
      backend({
        handle: "pass",
        setup: stage.random.pick(['raise ValueError("cannot reticulate")', "print(1 / 0)", "[][3]"]),
      }),
    ),
  ),
  neverRuns("command-not-found", "command-not-found", "the command is not in the image", (stage, name) =>
    stage.run(name, {
      command: stage.random.pick([
        ["/opt/app/server", "--port", "9000"],
        ["gunicorn", "app:app"],
      ]),
    }),
  ),
  neverRuns("not-executable", "not-executable", "the command has no executable bit", async (stage, name) =>
    stage.run(name, { args: await script(stage, "#!/bin/sh\nsleep 1000\n", 0o644), command: ["/app/run.sh"] }),
  ),
  neverRuns(
    "exec-format-error",
    "exec-format-error",
    "another processor's program, or no interpreter line",
    async (stage, name) =>
      stage.run(name, {
        args: await script(stage, stage.random.pick(["sleep 1000\n", "\u007fELF\u0002\u0001\u0001garbage"]), 0o755),
        command: ["/app/run.sh"],
      }),
  ),
  neverRuns("crlf-shebang", "crlf-shebang", "a script with Windows line ends", async (stage, name) =>
    stage.run(name, {
      args: await script(stage, `${stage.random.pick(["#!/bin/sh", "#!/usr/bin/env bash"])}\r\nsleep 1000\r\n`, 0o755),
      command: ["/app/run.sh"],
    }),
  ),
  {
    id: "rlimit-cpu-kill",
    family: "B",
    about: "the CPU-seconds limit is used up",
    async inject(stage) {
      const { api } = stage.names;
      const program = {
        handle: "pass",
        setup: "def burn():\n    while True: pass\nthreading.Thread(target=burn, daemon=True).start()",
      };
      await webAndBackend(stage, api, program, ["--ulimit", "cpu=4:4"]);
      return fault(stage, "rlimit-cpu-kill", api, []);
    },
  },
  {
    id: "rlimit-fsize",
    family: "B",
    about: "a file has reached the size limit of the process",
    async inject(stage) {
      const { api } = stage.names;
      const program = { handle: 'with open("/journal", "ab") as f: f.write(b"x" * 100000)', settled: false };
      await webAndBackend(stage, api, program, ["--ulimit", "fsize=1000000:1000000"]);
      return fault(stage, "rlimit-fsize", api, ["restart"], { planExpected: false, shows: callsFail(stage) });
    },
  },
];

/** True once that much time has gone by: nothing through Docker came shortly before. */
function past(ms: number): () => Promise<boolean> {
  const start = performance.now();
  return async () => performance.now() - start >= ms;
}
