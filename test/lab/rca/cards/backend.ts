import type { Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { python } from "./programs.ts";

/** A service behind web on port 9000. `handle(path)` is Python: what a request does; `setup` runs before it listens. */
export async function webAndBackend(
  stage: Stage,
  name: string,
  program: { handle: string; setup?: string; path?: string; settled?: boolean },
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<void> {
  const { web } = stage.names;
  await python(stage, name, backend(program), env, args);
  await stage.service(web, {
    env: {
      UPSTREAMS: `http://${name}:9000${program.path ?? "/work"}`,
      CALL_TIMEOUT: "2",
      TRAFFIC_EVERY: "0.5",
      LOG_STYLE: stage.random.pick(["python", "node", "go", "java"]),
    },
  });
  if (program.settled !== false)
    await stage.until(`${web} calls ${name}`, async () => (await stage.get(web, 8000, "/call"))?.status === 200);
}

/** Requests that need the backend fail. */
export function callsFail(stage: Stage): () => Promise<boolean> {
  return async () => ((await stage.get(stage.names.web, 8000, "/call"))?.status ?? 0) >= 500;
}

export function fault(
  stage: Stage,
  cause: Truth["causes"][number],
  culprit: string,
  allowed: Truth["allowed"][number]["action"][],
  more: Partial<Truth> = {},
): Truth {
  return {
    service: stage.names.web,
    verdict: "root-cause",
    causes: [cause],
    culprit,
    allowed: allowed.map((action) => ({ action, container: culprit })),
    planExpected: allowed.length > 0,
    shows: callsFail(stage),
    ...more,
  };
}

export function backend({ handle, setup = "" }: { handle: string; setup?: string }): string {
  const body = handle
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
  return `
import os, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
KEPT = []
def hog(mib, seconds=0.0):
    for _ in range(mib // 8):
        KEPT.append(bytearray(os.urandom(1024)) * 8192)
        time.sleep(seconds)
def handle(path):
${body}
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        print("request GET " + path, flush=True)
        try:
            status, text = 200, str(handle(path) or "ok") if path not in ("/", "/healthz") else "ok"
        except Exception as error:
            print("ERROR " + path + " failed: " + repr(error), file=sys.stderr, flush=True)
            status, text = 500, "error"
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, form, *args):
        pass
${setup}
server = ThreadingHTTPServer(("0.0.0.0", 9000), Handler)
server.daemon_threads = True
print("listening on 9000", flush=True)
server.serve_forever()
`;
}
