import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { runProgram } from "./program.ts";

/** An answer that comes late, or not at all within the time a person waits. */
function isLate(stage: Stage, path: string): () => Promise<boolean> {
  return async () => {
    const began = performance.now();
    await stage.get(stage.names.web, 8000, path);
    return performance.now() - began > 1_000;
  };
}

function slow(stage: Stage, cause: Truth["causes"][number], more: Partial<Truth> = {}): Truth {
  const { web } = stage.names;
  return {
    service: web,
    symptom: "any",
    verdict: "root-cause",
    causes: [cause],
    culprit: web,
    allowed: [],
    shows: isLate(stage, "/work"),
    ...more,
  };
}

/** A peer that takes a call and never answers. */
async function silentPeer(stage: Stage): Promise<string> {
  const { api } = stage.names;
  await stage.run(api, { command: ["socat", "TCP-LISTEN:7000,fork,reuseaddr", "SYSTEM:sleep 900"] });
  return api;
}

export const cpuIoCards: readonly Card[] = [
  {
    id: "cpu-throttled",
    family: "I",
    about: "a CPU cap far below the work of one request",
    async inject(stage) {
      await runProgram(stage, stage.names.web, {
        args: ["--cpus", stage.random.pick(["0.05", "0.08"])],
        every: 0.2,
        work: "total = 0\nfor at in range(2_500_000):\n    total += at\nreturn total",
      });
      await new Promise((resolve) => setTimeout(resolve, 6_000));
      return slow(stage, "cpu-throttled");
    },
  },
  {
    id: "single-worker-blocked",
    family: "I",
    about: "the only worker waits for a call without a time limit",
    async inject(stage) {
      const { web } = stage.names;
      const api = await silentPeer(stage);
      await stage.run(web, {
        command: [
          "python3",
          "-u",
          "-c",
          `import socket\nfrom http.server import BaseHTTPRequestHandler, HTTPServer\nclass Handler(BaseHTTPRequestHandler):\n    def do_GET(self):\n        if self.path == "/work":\n            call = socket.create_connection(("${api}", 7000))\n            call.recv(10)\n        self.send_response(200)\n        self.end_headers()\nHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()`,
        ],
      });
      await stage.until(`${web} answers`, async () => (await stage.get(web, 8000, "/healthz"))?.status === 200);
      await stage.get(web, 8000, "/work");
      return slow(stage, "single-worker-blocked", {
        allowed: [{ action: "restart", container: web }],
        planExpected: true,
        shows: isLate(stage, "/healthz"),
      });
    },
  },
  {
    id: "slow-endpoint-starves-pool",
    family: "I",
    about: "all workers wait for one peer that does not answer",
    async inject(stage) {
      const { web } = stage.names;
      const api = await silentPeer(stage);
      const workers = stage.random.pick([4, 6, 8]);
      await stage.run(web, {
        command: [
          "python3",
          "-u",
          "-c",
          `import socket\nfrom concurrent.futures import ThreadPoolExecutor\nfrom http.server import BaseHTTPRequestHandler, HTTPServer\nclass Handler(BaseHTTPRequestHandler):\n    def do_GET(self):\n        if self.path == "/work":\n            call = socket.create_connection(("${api}", 7000))\n            call.recv(10)\n        self.send_response(200)\n        self.end_headers()\nclass Server(HTTPServer):\n    pool = ThreadPoolExecutor(${workers})\n    def process_request(self, request, client):\n        self.pool.submit(self.serve, request, client)\n    def serve(self, request, client):\n        self.finish_request(request, client)\n        self.shutdown_request(request)\nServer(("0.0.0.0", 8000), Handler).serve_forever()`,
        ],
      });
      await stage.until(`${web} answers`, async () => (await stage.get(web, 8000, "/healthz"))?.status === 200);
      const address = (
        await stage.docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", web)
      ).trim();
      const calls = Array.from({ length: workers + 2 }, () =>
        fetch(`http://${address}:8000/work`, { signal: AbortSignal.timeout(120_000) }).catch(() => null),
      );
      void Promise.allSettled(calls);
      return slow(stage, "slow-endpoint-starves-pool", {
        allowed: [{ action: "restart", container: web }],
        planExpected: true,
        shows: isLate(stage, "/healthz"),
      });
    },
  },
  {
    id: "stall-periodic",
    family: "I",
    about: "the program stops for more than a second every few seconds",
    async inject(stage) {
      const words = stage.random.pick([
        "GC pause (full) took %d ms",
        "[gc] stop-the-world pause %dms",
        "event loop blocked for %d ms",
      ]);
      await runProgram(stage, stage.names.web, {
        setup: `gate = threading.Lock()\ndef pauses():\n    while True:\n        time.sleep(2.5)\n        began = time.time()\n        with gate:\n            time.sleep(1.6)\n        print(${JSON.stringify(words)} % ((time.time() - began) * 1000), flush=True)\nthreading.Thread(target=pauses, daemon=True).start()`,
        work: "with gate:\n    return 'done'",
        every: 0.5,
      });
      await new Promise((resolve) => setTimeout(resolve, 18_000));
      return slow(stage, "stall-periodic");
    },
  },
];
