import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Cause } from "../../../../src/core/causes.ts";
import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { bounceDaemon, daemonOf, endDaemon, startDaemonAgain } from "./engine-control.ts";
import { python, webFrame } from "./programs.ts";
import { itemsFail, webAndDatabase } from "./stops.ts";

function truth(stage: Stage, cause: Cause, culprit: string | null, more: Partial<Truth> = {}): Truth {
  return {
    service: stage.names.web,
    verdict: "root-cause",
    causes: [cause],
    culprit,
    allowed: [],
    shows: itemsFail(stage),
    ...more,
  };
}

const stateOf = async (stage: Stage, name: string) =>
  (await stage.inspect(name)).State as { Status: string; ExitCode: number };

/** The supervisor of a container of this lab, by the container's full id in its command line. */
function supervisorOf(id: string, dir: string): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      if (line.includes("containerd-shim") && line.includes(id) && line.includes(dir)) return Number(pid);
    } catch {}
  }
  throw new Error(`no supervisor of ${id}`);
}

/** Writes a line for every request; the main thread is the one that serves. */
const chatty = `
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import threading, time, urllib.request
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        for _ in range(int(os.environ["LINES"])):
            print("x" * 1000, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, form, *args):
        pass
def users():
    while True:
        try:
            urllib.request.urlopen("http://127.0.0.1:8000/", timeout=5).read()
        except OSError:
            pass
        time.sleep(0.05)
threading.Thread(target=users, daemon=True).start()
HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
`;

const sink = `
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind(("0.0.0.0", 5514))
s.listen(8)
print("ready", flush=True)
held = []
while True:
    held.append(s.accept())
`;

/** Refuses one call the program makes at its start or on a path. */
function profile(...calls: string[]): string {
  return JSON.stringify({
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: calls, action: "SCMP_ACT_ERRNO" }],
  });
}

export const daemonCards: readonly Card[] = [
  {
    id: "daemon-restarted-no-policy",
    family: "K",
    about: "the daemon restarted and the database has no policy",
    async inject(stage) {
      await webAndDatabase(stage, { webEnv: {} });
      await stage.docker("update", "--restart", "always", stage.names.web);
      await stage.run(stage.names.worker, { command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"] });
      await bounceDaemon(stage.lab);
      return truth(stage, "daemon-restarted-no-policy", stage.names.db, {
        allowed: (["start", "update-restart-policy"] as const).map((action) => ({
          action,
          container: stage.names.db,
        })),
        planExpected: true,
      });
    },
  },
  {
    id: "daemon-down",
    family: "K",
    about: "the daemon is gone, its containers serve on",
    async inject(stage) {
      await stage.service(stage.names.web, {});
      const args = await endDaemon(stage.lab, "SIGKILL");
      return truth(stage, "daemon-down", null, {
        shows: async () => true,
        undo: () => startDaemonAgain(stage.lab, args),
      });
    },
  },
  {
    id: "daemon-hung",
    family: "K",
    about: "the daemon is frozen, its containers serve on",
    async inject(stage) {
      await stage.service(stage.names.web, {});
      const { pid } = daemonOf(stage.lab);
      process.kill(pid, "SIGSTOP");
      return truth(stage, "daemon-hung", null, {
        shows: async () => true,
        undo: async () => {
          process.kill(pid, "SIGCONT");
        },
      });
    },
  },
  {
    id: "shim-killed",
    family: "K",
    about: "kill -9 of the database's supervisor on the host",
    async inject(stage) {
      await webAndDatabase(stage);
      const { db } = stage.names;
      const id = (await stage.docker("inspect", "--format", "{{.Id}}", db)).trim();
      process.kill(supervisorOf(id, stage.lab.dir), "SIGKILL");
      await stage.until("it is down", async () => (await stateOf(stage, db)).Status === "exited");
      return truth(stage, "shim-killed", db, { allowed: [{ action: "start", container: db }], planExpected: true });
    },
  },
  {
    id: "log-driver-down",
    family: "K",
    about: "the log target does not answer, so the service cannot start",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.service(web, { env: { UPSTREAMS: `http://${api}:8000/`, TRAFFIC_EVERY: "1" } });
      const driver = stage.random.pick([
        ["--log-driver", "syslog", "--log-opt", "syslog-address=tcp://127.0.0.1:9"],
        ["--log-driver", "fluentd", "--log-opt", "fluentd-address=127.0.0.1:9"],
        ["--log-driver", "gelf", "--log-opt", "gelf-address=tcp://127.0.0.1:9"],
      ]);
      await stage.service(api, { args: driver }).catch(() => null);
      return truth(stage, "log-driver-down", api, {
        shows: async () => ((await stage.get(web, 8000, "/call"))?.status ?? 500) >= 500,
      });
    },
  },
  {
    id: "log-driver-blocks",
    family: "K",
    about: "the log target takes nothing, the program stops at its next line",
    async inject(stage) {
      const { web } = stage.names;
      await python(stage, "log-sink", sink);
      await stage.until("the log target listens", async () => (await stage.logs("log-sink")).includes("ready"));
      const address = (
        await stage.docker(
          "inspect",
          "--format",
          "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
          "log-sink",
        )
      ).trim();
      await python(stage, web, chatty, { LINES: "400" }, [
        "--log-driver",
        "syslog",
        "--log-opt",
        `syslog-address=tcp://${address}:5514`,
      ]);
      await delay(8_000);
      return truth(stage, "log-driver-blocks", web, {
        symptom: "any",
        shows: async () => (await stage.get(web, 8000, "/")) === null,
      });
    },
  },
  {
    id: "seccomp-denied",
    family: "K",
    about: "a security profile forbids a call the service needs",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.service(web, { env: { UPSTREAMS: `http://${api}:8000/items`, TRAFFIC_EVERY: "1" } });
      const body = stage.random.pick([
        'os.mkdir("/tmp/w" + str(time.time()))\n    return 200, "ok"',
        'os.symlink("/etc/hosts", "/tmp/l" + str(time.time()))\n    return 200, "ok"',
      ]);
      const path = `${stage.lab.dir}/seccomp-${stage.names.api}.json`;
      writeFileSync(path, profile("mkdir", "mkdirat", "symlink", "symlinkat"));
      await python(stage, api, `${webFrame}\ndef handle(path):\n    ${body}\nserve()\n`, {}, [
        "--security-opt",
        `seccomp=${path}`,
      ]);
      return truth(stage, "seccomp-denied", api, {
        shows: async () => ((await stage.get(web, 8000, "/call"))?.status ?? 0) >= 500,
      });
    },
  },
];
