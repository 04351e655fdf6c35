import type { Cause } from "../../../../src/core/causes.ts";
import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { python, webFrame } from "./programs.ts";

const healthOf = async (stage: Stage, name: string) =>
  ((await stage.inspect(name)).State as { Health?: { Status: string } }).Health?.Status;

function checked(check: string, more: string[] = []): string[] {
  return ["--health-cmd", check, "--health-interval", "2s", "--health-retries", "2", ...more];
}

function fine(stage: Stage, cause: Cause): Truth {
  const { web } = stage.names;
  return {
    service: web,
    symptom: "any",
    verdict: "no-fault-found",
    causes: [cause],
    culprit: null,
    allowed: [],
    shows: async () =>
      (await healthOf(stage, web)) === "unhealthy" && (await stage.get(web, 8000, "/"))?.status === 200,
  };
}

const hangs = `${webFrame}
LOCK = threading.Lock()
def handle(path):
    LOCK.acquire()
    LOCK.acquire()
    return 200, "ok"
class Stuck(BaseHTTPRequestHandler):
    def do_GET(self):
        LOCK.acquire()
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
def freeze():
    time.sleep(3)
    LOCK.acquire()
threading.Thread(target=freeze, daemon=True).start()
server = ThreadingHTTPServer(("0.0.0.0", 8000), Stuck)
server.daemon_threads = True
server.serve_forever()
`;

export const healthCards: readonly Card[] = [
  {
    id: "probe-broken",
    family: "M",
    about: "the health command cannot work, the service does",
    async inject(stage) {
      const check = stage.random.pick([
        "wget-not-there -qO- http://localhost:8000/healthz",
        "curl -fs http://localhost:9999/healthz || exit 1",
        "curl -fs http://localhost:8000/internal/health-v1",
        "exit 1",
      ]);
      await stage.service(stage.names.web, { args: checked(check) });
      return fine(stage, "probe-broken");
    },
  },
  {
    id: "probe-too-tight",
    family: "M",
    about: "the health command has less time than an answer takes",
    async inject(stage) {
      const seconds = stage.random.pick(["1.5", "1.8"]);
      const app = `${webFrame}
class Slow(Handler):
    def do_GET(self):
        time.sleep(${seconds})
        super().do_GET()
def handle(path):
    return 200, "ok"
server = ThreadingHTTPServer(("0.0.0.0", 8000), Slow)
server.daemon_threads = True
server.serve_forever()
`;
      await python(
        stage,
        stage.names.web,
        app,
        {},
        checked("curl -fs http://localhost:8000/healthz", ["--health-timeout", "1s"]),
      );
      return fine(stage, "probe-too-tight");
    },
  },
  {
    id: "false-healthy",
    family: "M",
    about: "the check tests nothing, the service fails",
    async inject(stage) {
      const { web } = stage.names;
      const check = stage.random.pick([
        "true",
        "exit 0",
        "pgrep python3",
        "curl -s http://localhost:8000/healthz || true",
      ]);
      await python(
        stage,
        web,
        `${webFrame}\ndef handle(path):\n    return 500, "failed"\nserve()\n`,
        {},
        checked(check),
      );
      return {
        service: web,
        verdict: "root-cause",
        causes: ["false-healthy"],
        culprit: web,
        allowed: [],
        shows: async () =>
          (await healthOf(stage, web)) === "healthy" && (await stage.get(web, 8000, "/items"))?.status === 500,
      };
    },
  },
  {
    id: "depends-on-never",
    family: "M",
    about: "a bad probe of the database keeps the service from starting",
    async inject(stage) {
      const { web, db } = stage.names;
      const compose = (service: string) => [
        "--label",
        "com.docker.compose.project=shop",
        "--label",
        `com.docker.compose.service=${service}`,
      ];
      const check = stage.random.pick([
        "pg_isready_not_here -U app",
        "curl -fs http://localhost:15432",
        "psql-15 -c 'select 1'",
      ]);
      await stage.postgres(db, { args: [...compose(db), ...checked(check)] });
      await stage.docker(
        "create",
        "--name",
        web,
        "--network",
        stage.network,
        ...compose(web),
        "--label",
        `com.docker.compose.depends_on=${db}:service_healthy:false`,
        "--env",
        `DATABASE_URL=postgresql://${db}:5432/shop`,
        "room137/lab:latest",
        "python3",
        "/opt/lab/service.py",
      );
      return {
        service: web,
        verdict: "root-cause",
        causes: ["depends-on-never"],
        culprit: db,
        allowed: [{ action: "start", container: web }],
        planExpected: true,
        shows: async () =>
          (await healthOf(stage, db)) === "unhealthy" && /ready to accept connections/.test(await stage.logs(db)),
      };
    },
  },
  {
    id: "no-healthcheck-hang",
    family: "M",
    about: "it takes connections and answers none, and nothing notices",
    async inject(stage) {
      const { web } = stage.names;
      await python(stage, web, hangs);
      await stage.until("it served", async () => (await stage.get(web, 8000, "/")) !== null);
      return {
        service: web,
        symptom: "any",
        verdict: "root-cause",
        causes: ["no-healthcheck-hang"],
        culprit: web,
        allowed: [{ action: "restart", container: web }],
        planExpected: true,
        shows: async () => (await stage.get(web, 8000, "/")) === null,
      };
    },
  },
];
