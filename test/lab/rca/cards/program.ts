import { existsSync, readFileSync } from "node:fs";
import type { Stage } from "../stage.ts";

/**
 * A small HTTP program whose `/work` path does what a card says and fails as real programs fail: the same errno in the
 * words of Python, Node.js, Go or Java. It calls `/work` itself, as its users would.
 */
export async function runProgram(
  stage: Stage,
  name: string,
  options: { work: string; setup?: string; args?: string[]; every?: number; threads?: boolean; path?: string },
): Promise<string> {
  const style = stage.random.pick(["python", "node", "go", "java"]);
  return stage.run(name, {
    args: ["--env", `STYLE=${style}`, ...(options.args ?? [])],
    command: ["python3", "-u", "-c", source(options)],
  });
}

function source({
  work,
  setup = "",
  every = 1,
  threads = true,
  path = "/work",
}: Parameters<typeof runProgram>[2]): string {
  const indented = work
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
  return `
import errno, os, socket, subprocess, sys, threading, time, traceback, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
STYLE = os.environ.get("STYLE", "python")
def say(error):
    number = getattr(error, "errno", None)
    code = errno.errorcode.get(number, "EIO")
    text = os.strerror(number) if number else str(error)
    where = getattr(error, "filename", None)
    call = "spawn" if isinstance(error, BlockingIOError) else "open" if where else "write"
    if number and STYLE == "node":
        line = f"Error: {code}: {text.lower()}, {call}" + (f" '{where}'" if where else "")
    elif number and STYLE == "go":
        prefix = "fork/exec /bin/true" if call == "spawn" else f"{call} {where or '/dev/stdout'}"
        line = '{"level":"error","msg":"' + prefix + ": " + text.lower() + '"}'
    elif number and STYLE == "java":
        line = f"ERROR 1 --- [exec-1] c.example.Work : java.io.IOException: {call} failed: {(where + ' (') if where else ''}{text}"
    else:
        line = "".join(traceback.format_exception(error)).rstrip()
    print(line, file=sys.stderr, flush=True)
${setup}
def work():
${indented}
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        if path in ("/", "/healthz"):
            return self.answer(200, "ok")
        if path != "${path}":
            return self.answer(404, "not found")
        try:
            result = work()
            self.answer(*(result if isinstance(result, tuple) else (200, str(result))))
        except Exception as error:
            say(error)
            self.answer(500, "internal server error")
    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, form, *args):
        print('%s - - [%s] %s' % (self.client_address[0], self.log_date_time_string(), form % args), file=sys.stderr, flush=True)
server = ${threads ? "ThreadingHTTPServer" : "HTTPServer"}(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler)
server.daemon_threads = True
def users():
    while True:
        time.sleep(${every})
        try:
            urllib.request.urlopen("http://127.0.0.1:%s${path}" % os.environ.get("PORT", "8000"), timeout=5).read()
        except OSError:
            pass
if ${every} > 0:
    threading.Thread(target=users, daemon=True).start()
server.serve_forever()
`;
}

/** The program's `/work` answers with an error. */
export function workFails(stage: Stage, name: string): () => Promise<boolean> {
  return async () => ((await stage.get(name, 8000, "/work"))?.status ?? 500) >= 500;
}

/** Everything a container has said, both streams: `docker logs` alone gives this process only one of them. */
export async function saidBy(stage: Stage, name: string): Promise<string> {
  const path = (await stage.docker("inspect", "--format", "{{.LogPath}}", name)).trim();
  return path !== "" && existsSync(path) ? readFileSync(path, "utf8") : "";
}
