import { setTimeout as delay } from "node:timers/promises";
import type { Cause } from "../../../../src/core/causes.ts";
import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { buildImage, runImage } from "./images.ts";

function truth(culprit: string, cause: Cause, more: Partial<Truth> = {}): Truth {
  return {
    service: culprit,
    verdict: "root-cause",
    causes: [cause],
    culprit,
    allowed: [],
    shows: async () => true,
    ...more,
  };
}

const restarts = async (stage: Stage, name: string) =>
  Number(((await stage.inspect(name)) as unknown as { RestartCount: number }).RestartCount);

/** Answers 200 after a while, or throws; its log is what `after` prints and nothing else. */
const app = (work: string, after: string) => `
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 200
        try:
            ${work}
            ${after}
        except Exception:
            status = 500
            print("TypeError: Cannot read properties of undefined (reading 'id')\\n    at handler (/app/routes.js:12:9)", flush=True)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
`;

const missing = [
  [`/app/boot.rb:12:in 'Hash#fetch': key not found: "STRIPE_WEBHOOK_SECRET" (KeyError)`],
  [
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings",
    "STRIPE_WEBHOOK_SECRET",
    "  Field required [type=missing, input_value={}, input_type=dict]",
  ],
  ["required key STRIPE_WEBHOOK_SECRET missing value"],
] as const;

/** Faults as other people would stage them: other languages' wordings, logs that say little, names that were used before. */
export const judgedSecondCards: readonly Card[] = [
  {
    id: "env-missing-other-languages",
    family: "F",
    about: "a start that misses a setting, in the words of Ruby, pydantic and Go",
    async inject(stage) {
      const { web } = stage.names;
      const lines = stage.random.pick(missing);
      const command = ["sh", "-c", 'printf "%s\\n" "$@" >&2; sleep 1; exit 1', "app", ...lines];
      await stage.run(web, { args: ["--restart", "always", "--env", "RAILS_ENV=production"], command });
      return truth(web, "env-missing", { shows: async () => (await restarts(stage, web)) >= 2 });
    },
  },
  {
    id: "key-mismatch-between-starts",
    family: "H",
    about: "key and certificate do not belong together; asked while the next start has not come that far yet",
    async inject(stage) {
      const { edge } = stage.names;
      const config = "events{} http{server{listen 443 ssl; ssl_certificate /t/c1; ssl_certificate_key /t/k2;}}";
      const script = [
        "mkdir -p /t && cd /t && sleep 1",
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout k1 -out c1 -subj /CN=a 2>/dev/null",
        "openssl genrsa -out k2 2048 2>/dev/null",
        `echo '${config}' > n`,
        'exec nginx -g "daemon off; error_log /dev/stderr;" -c /t/n',
      ].join("; ");
      await stage.run(edge, { args: ["--restart", "always"], command: ["sh", "-c", script] });
      return truth(edge, "key-mismatch", { shows: async () => (await restarts(stage, edge)) >= 2 });
    },
  },
  {
    id: "retries-exhausted-after-cleanup",
    family: "J",
    about: "Docker gave up on it; long before, a network of the same name was cleaned up and made again",
    async inject(stage) {
      const { worker, cache } = stage.names;
      const network = `${stage.network}_jobs`;
      await stage.docker("network", "create", network);
      await stage.docker("network", "prune", "--force");
      await stage.docker("network", "create", network);
      const script = `sleep .3; exec 3<>/dev/tcp/${cache}/6379 || { echo "Error: getaddrinfo ENOTFOUND ${cache}"; exit 1; }; sleep 900`;
      await stage.run(worker, {
        args: ["--restart", "on-failure:3"],
        command: ["bash", "-c", script],
        network,
      });
      await stage.until("Docker gives up", async () => (await stage.inspect(worker)).State["Status"] === "exited");
      await stage.run(cache, { command: ["redis-server", "--save", ""], network });
      await delay(1_000);
      return truth(worker, "retries-exhausted", {
        allowed: [{ action: "start", container: worker }],
        planExpected: true,
        shows: async () => (await stage.inspect(worker)).State["Status"] === "exited",
      });
    },
  },
  {
    id: "entrypoint-overridden-idle",
    family: "L",
    about: "a command left over from a look inside: up, and serving nothing",
    async inject(stage) {
      const { web } = stage.names;
      await buildImage(stage, "board:2", { "/app/app.py": app("pass", "pass") }, ["python3", "-u", "/app/app.py"]);
      const idle = stage.random.pick([
        ["tail", "-f", "/dev/null"],
        ["sleep", "infinity"],
        ["sh", "-c", "while :; do sleep 3600; done"],
      ]);
      await runImage(stage, web, "board:2", [], idle);
      await delay(1_000);
      return truth(web, "entrypoint-overridden");
    },
  },
  {
    id: "half-rolled-out-no-request-log",
    family: "L",
    about: "one of two replicas behind a proxy throws; its log names the exception and counts no requests",
    async inject(stage) {
      const { web, edge } = stage.names;
      const run = ["python3", "-u", "/app/app.py"];
      await buildImage(stage, "shop/quiet:a", { "/app/app.py": app("pass", "pass") }, run);
      await buildImage(stage, "shop/quiet:b", { "/app/app.py": app("raise TypeError()", "pass") }, run);
      const labels = ["--label", "com.docker.compose.project=shop", "--label", `com.docker.compose.service=${web}`];
      await runImage(stage, `${web}-1`, "shop/quiet:a", labels);
      await runImage(stage, `${web}-2`, "shop/quiet:b", labels);
      await stage.until("both listen", async () => (await stage.get(`${web}-2`, 8000, "/")) !== null);
      await stage.nginx(
        edge,
        `upstream both { server ${web}-1:8000; server ${web}-2:8000; } server { listen 80; location / { proxy_pass http://both; } }`,
      );
      const seen = new Set<number>();
      for (let at = 0; at < 8; at += 1) seen.add((await stage.get(edge, 80, "/orders"))?.status ?? 0);
      return truth(`${web}-2`, "half-rolled-out", {
        service: edge,
        shows: async () => {
          seen.add((await stage.get(edge, 80, "/orders"))?.status ?? 0);
          return seen.has(200) && seen.has(500);
        },
      });
    },
  },
  {
    id: "nginx-timeout-too-short-plain-log",
    family: "F",
    about: "the proxy gives up after a second; the application logs its success in a log of its own form",
    async inject(stage) {
      const { edge, api } = stage.names;
      const line = stage.random.pick([
        'print("GET /report 200 3004ms", flush=True)',
        `print('{"level":"info","method":"GET","path":"/report","status":200,"ms":3004}', flush=True)`,
        'print("level=info method=GET path=/report status=200 took=3.004s", flush=True)',
      ]);
      await stage.run(api, { command: ["python3", "-u", "-c", app("time.sleep(3)", line)] });
      await stage.nginx(
        edge,
        `server { listen 80; location / { proxy_pass http://${api}:8000; proxy_read_timeout 1s; } }`,
      );
      await delay(1_000);
      return truth(edge, "nginx-timeout-too-short", {
        shows: async () =>
          (await stage.get(edge, 80, "/report"))?.status === 504 && (await stage.logs(api)).includes("/report"),
      });
    },
  },
];
