import type { Stage } from "../stage.ts";
import { PASSWORD } from "../stage.ts";

/** Small programs of the suite's own, beside `apps/service.py`: each has `/`, `/healthz` and one path that can fail. */
export function python(
  stage: Stage,
  name: string,
  program: string,
  env: Record<string, string> = {},
  args: string[] = [],
): Promise<string> {
  const variables = Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
  return stage.run(name, { args: [...variables, ...args], command: ["python3", "-u", "-c", program] });
}

/** Runs SQL as the application's user from a container of its own, so that nothing is executed inside the database. */
export function sql(stage: Stage, server: string, text: string, user = "app"): Promise<string> {
  const url = `postgresql://${user}:${PASSWORD}@${server}:5432/shop`;
  return stage.docker(
    "run",
    "--rm",
    "--network",
    stage.network,
    "room137/lab:latest",
    "psql",
    "-qAt",
    "-v",
    "ON_ERROR_STOP=1",
    url,
    "-c",
    text,
  );
}

export function databaseUrl(server: string): string {
  return `postgresql://app:${PASSWORD}@${server}:5432/shop`;
}

/** Serves `handle(path)`; its own traffic asks for every path of PATHS, and each failure is logged with its traceback. */
export const webFrame = `
import json, os, sys, threading, time, traceback, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
def log(text):
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, file=sys.stderr, flush=True)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        try:
            status, body = (200, "ok") if path in ("/", "/healthz") else handle(path)
        except Exception as error:
            log("ERROR request " + path + " failed\\n" + traceback.format_exc().rstrip())
            status, body = 500, "error"
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, form, *args):
        print(self.client_address[0] + ' - - "' + args[0] + '" ' + str(args[1]), file=sys.stderr, flush=True)
def users():
    every = float(os.environ.get("TRAFFIC_EVERY", "0.5"))
    while True:
        for path in os.environ.get("PATHS", "/items").split(","):
            try:
                urllib.request.urlopen("http://127.0.0.1:8000" + path, timeout=8).read()
            except OSError:
                pass
        time.sleep(every)
def serve():
    threading.Thread(target=users, daemon=True).start()
    server = ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
    server.daemon_threads = True
    server.serve_forever()
`;

/** One kept connection, with a timeout where STATEMENT is set. */
export const holdingClient = `
import os, time, psycopg2
held = []
for _ in range(int(os.environ.get("CONNECTIONS", "1"))):
    try:
        connection = psycopg2.connect(os.environ["DATABASE_URL"])
        connection.autocommit = os.environ.get("AUTOCOMMIT", "1") == "1"
        cursor = connection.cursor()
        for statement in filter(None, os.environ.get("STATEMENT", "").split(";")):
            cursor.execute(statement)
        held.append((connection, cursor))
    except psycopg2.OperationalError as error:
        print("worker: no more connections:", str(error).strip(), flush=True)
        break
print("worker ready with", len(held), "connections", flush=True)
while True:
    time.sleep(5)
`;
