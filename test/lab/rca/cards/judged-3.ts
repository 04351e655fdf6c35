import type { Card } from "../card.ts";
import { python } from "./programs.ts";

/** A front that asks its upstream, in some library's words when that fails. */
const front = (complaint: string) => `
import os, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, url = 200, os.environ["UPSTREAM"]
        try:
            urllib.request.urlopen(url, timeout=3).read()
        except OSError:
            print(${JSON.stringify(complaint)}.replace("URL", url), flush=True)
            status = 500
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
def users():
    while True:
        try:
            urllib.request.urlopen("http://127.0.0.1:8000/orders", timeout=5).read()
        except OSError:
            pass
        time.sleep(1)
threading.Thread(target=users, daemon=True).start()
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
`;

/** Needs a store at UP and says nothing at all when it fails. */
const silentMiddle = `
import os, socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        host, port = os.environ["UP"].split(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            status = 200
        except OSError:
            status = 500
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
ThreadingHTTPServer(("", 9090), Handler).serve_forever()
`;

/** Succeeds after two seconds and logs nothing. */
const slowAndSilent = `
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(1.8)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
`;

const complaints = [
  "AxiosError: Request failed with status code 500 URL",
  'HttpServerErrorException$InternalServerError: 500 on GET request for "URL": [no body]',
  "HTTPError: Response code 500 (Internal Server Error) URL",
] as const;

/** Faults a stranger staged: programs that keep silent, and a queue that fills up slowly. */
export const judgedThirdCards: readonly Card[] = [
  {
    id: "dep-stopped-behind-silent-middle",
    family: "C",
    about: "web asks api, api asks a store that was stopped, and api's log says nothing at all",
    async inject(stage) {
      const { web, api, cache } = stage.names;
      await stage.redis(cache);
      await python(stage, api, silentMiddle, { UP: `${cache}:6379` });
      await python(stage, web, front(stage.random.pick(complaints)), { UPSTREAM: `http://${api}:9090/v1` });
      await stage.until("web works", async () => (await stage.get(web, 8000, "/orders"))?.status === 200);
      await stage.docker("stop", cache);
      return {
        service: web,
        verdict: "root-cause",
        causes: ["dep-stopped"],
        culprit: cache,
        allowed: [{ action: "start", container: cache }],
        planExpected: true,
        shows: async () => /\b500\b/.test(await stage.logs(web)),
      };
    },
  },
  {
    id: "nginx-timeout-too-short-no-log",
    family: "F",
    about: "the proxy gives up after a second; the application succeeds later and logs nothing",
    async inject(stage) {
      const { edge, api } = stage.names;
      await python(stage, api, slowAndSilent);
      await stage.until("api listens", async () => (await stage.get(api, 8000, "/report"))?.status === 200);
      await stage.nginx(
        edge,
        `server { listen 80; location / { proxy_read_timeout 1s; proxy_pass http://${api}:8000; } }`,
      );
      await stage.until("edge gives up", async () => (await stage.get(edge, 80, "/report"))?.status === 504);
      return {
        service: edge,
        verdict: "root-cause",
        causes: ["nginx-timeout-too-short"],
        culprit: edge,
        allowed: [],
        shows: async () => /timed out/.test(await stage.logs(edge)),
      };
    },
  },
  {
    id: "no-healthcheck-hang-filling-queue",
    family: "M",
    about: "the program listens and never accepts; its queue is about to be full, and clients have given up",
    async inject(stage) {
      const { web, worker } = stage.names;
      const backlog = stage.random.between(5, 7);
      const program = `import socket, time\ns = socket.socket()\ns.bind(("", 9090))\ns.listen(${backlog})\ntime.sleep(100000)`;
      await python(stage, web, program);
      const asks = `for i in 1 2 3 4; do curl -s -m 2 -o /dev/null http://${web}:9090/; done; echo asked; sleep 900`;
      await stage.run(worker, { command: ["bash", "-c", asks] });
      return {
        service: web,
        symptom: "any",
        verdict: "root-cause",
        causes: ["no-healthcheck-hang", "listen-backlog-overflow"],
        culprit: web,
        allowed: [{ action: "restart", container: web }],
        planExpected: true,
        shows: async () => /asked/.test(await stage.logs(worker)),
      };
    },
  },
  {
    id: "unknown-cause-closes-connections",
    family: "P",
    about: "a store takes connections and closes them at once, for a reason no code names",
    async inject(stage) {
      const { web, cache } = stage.names;
      const program = `import socket\ns = socket.create_server(("", 11211))\nwhile True:\n    c, _ = s.accept()\n    c.recv(1000)\n    c.close()`;
      await python(stage, cache, program);
      const complaint = stage.random.pick([
        `error: cannot talk to ${cache}:11211: Connection reset by peer`,
        `E: request to tcp://${cache}:11211 failed: broken pipe`,
      ]);
      await python(stage, web, front(complaint), { UPSTREAM: `http://${cache}:11211/get` });
      return {
        service: web,
        verdict: "inconclusive",
        causes: [],
        culprit: null,
        suspect: cache,
        allowed: [],
        shows: async () => (await stage.logs(web)).includes(cache),
      };
    },
  },
];
