import { setTimeout as delay } from "node:timers/promises";
import type { Cause } from "../../../../src/core/causes.ts";
import type { Card, Truth } from "../card.ts";
import type { Stage } from "../stage.ts";
import { bounceDaemon } from "./engine-control.ts";
import { python, webFrame } from "./programs.ts";

/** A caller in front of the culprit, so that the culprit is not what is asked about. */
async function callerOf(stage: Stage, name: string): Promise<void> {
  await stage.service(stage.names.web, {
    env: {
      UPSTREAMS: `http://${name}:8000/`,
      LOG_STYLE: stage.random.pick(["python", "node", "go"]),
      TRAFFIC_EVERY: "1",
      CALL_TIMEOUT: "2",
    },
  });
}

function failsAt(stage: Stage): () => Promise<boolean> {
  return async () => ((await stage.get(stage.names.web, 8000, "/call"))?.status ?? 500) >= 500;
}

const count = async (stage: Stage, name: string) =>
  Number(((await stage.inspect(name)) as unknown as { RestartCount: number }).RestartCount);
const state = async (stage: Stage, name: string) =>
  (await stage.inspect(name)).State as { Status: string; ExitCode: number; Health?: { Status: string } };

function truth(stage: Stage, cause: Cause, culprit: string, actions: Truth["allowed"][number]["action"][] = []): Truth {
  return {
    service: stage.names.web,
    verdict: "root-cause",
    causes: [cause],
    culprit,
    allowed: actions.map((action) => ({ action, container: culprit })),
    planExpected: actions.length > 0,
    shows: failsAt(stage),
  };
}

/** Serves for a while, then ends as told. */
const servesThenEnds = `${webFrame}
def handle(path):
    return 200, "ok"
def end():
    time.sleep(float(os.environ["LIVES"]))
    print(os.environ.get("LAST_WORDS", ""), file=sys.stderr, flush=True)
    os._exit(int(os.environ["EXIT"]))
threading.Thread(target=end, daemon=True).start()
serve()
`;

export const restartCards: readonly Card[] = [
  {
    id: "crash-loop-config",
    family: "J",
    about: "a setting that makes every start fail, restart always",
    async inject(stage) {
      const { api } = stage.names;
      const words = stage.random.pick([
        'echo "config: LISTEN_PORT: invalid value 80a" >&2; exit 1',
        'echo "level=error msg=\\"parsing settings.yaml: unknown key tls_mod\\"" ; exit 78',
        'sleep 0.3; echo "refusing: state directory was made by a newer version (schema 14)" >&2; exit 3',
      ]);
      await callerOf(stage, api);
      await stage.run(api, {
        args: ["--restart", stage.random.pick(["always", "unless-stopped"])],
        command: ["sh", "-c", words],
      });
      await stage.until("three restarts", async () => (await count(stage, api)) >= 3);
      return truth(stage, "crash-loop-config", api);
    },
  },
  {
    id: "backoff-window",
    family: "J",
    about: "a crash loop that Docker lets wait; asked in the wait",
    async inject(stage) {
      const { api } = stage.names;
      await callerOf(stage, api);
      await stage.run(api, {
        args: ["--restart", "always"],
        command: ["sh", "-c", `exit ${stage.random.pick([1, 2, 70])}`],
      });
      await stage.until("a long delay", async () => (await count(stage, api)) >= 8, 90_000);
      return {
        ...truth(stage, "backoff-window", api),
        causes: ["backoff-window"],
        shows: async () => (await state(stage, api)).Status === "restarting",
      };
    },
  },
  {
    id: "retries-exhausted",
    family: "J",
    about: "on-failure gave up",
    async inject(stage) {
      const { api } = stage.names;
      const retries = stage.random.between(2, 4);
      await callerOf(stage, api);
      await stage.run(api, {
        args: ["--restart", `on-failure:${retries}`],
        command: ["sh", "-c", `sleep 0.2; echo 'warm-up did not finish' ; exit ${stage.random.pick([1, 4])}`],
      });
      await stage.until(
        "gave up",
        async () => (await state(stage, api)).Status === "exited" && (await count(stage, api)) === retries,
      );
      return truth(stage, "retries-exhausted", api, ["start"]);
    },
  },
  {
    id: "no-policy-after-crash",
    family: "J",
    about: "it crashed once after serving, and nothing restarts it",
    async inject(stage) {
      const { api } = stage.names;
      await python(stage, api, servesThenEnds, {
        LIVES: "6",
        EXIT: String(stage.random.pick([1, 3])),
        LAST_WORDS: stage.random.pick(["worker loop ended unexpectedly", "", "lost internal state, giving up"]),
      });
      await callerOf(stage, api);
      await stage.until("it served", async () => (await stage.get(api, 8000, "/"))?.status === 200);
      await stage.until("it crashed", async () => (await state(stage, api)).Status === "exited");
      return truth(stage, "no-policy-after-crash", api, ["start", "update-restart-policy"]);
    },
  },
  {
    id: "on-failure-exit-0",
    family: "J",
    about: "a clean exit under on-failure",
    async inject(stage) {
      const { api } = stage.names;
      await python(stage, api, servesThenEnds, { LIVES: "4", EXIT: "0", LAST_WORDS: "done" }, [
        "--restart",
        stage.random.pick(["on-failure", "on-failure:5"]),
      ]);
      await callerOf(stage, api);
      await stage.until("it ended", async () => (await state(stage, api)).Status === "exited");
      return truth(stage, "on-failure-exit-0", api, ["start", "update-restart-policy"]);
    },
  },
  {
    id: "masked-crashes",
    family: "J",
    about: "dies every few seconds and is always running when looked at",
    async inject(stage) {
      const { api } = stage.names;
      await python(
        stage,
        api,
        servesThenEnds,
        { LIVES: String(stage.random.between(4, 6)), EXIT: "1", LAST_WORDS: "internal error" },
        ["--restart", "always"],
      );
      await callerOf(stage, api);
      await stage.until("three deaths", async () => (await count(stage, api)) >= 3, 60_000);
      return {
        ...truth(stage, "masked-crashes", api),
        symptom: "any",
        shows: async () => (await state(stage, api)).Status === "running",
      };
    },
  },
  {
    id: "stopped-came-back",
    family: "J",
    about: "stopped by hand, policy always, back with the daemon",
    async inject(stage) {
      const { web } = stage.names;
      await stage.service(web, { args: ["--restart", "always"] });
      await stage.run(stage.names.worker, { args: ["--restart", "unless-stopped"], command: ["sleep", "infinity"] });
      await stage.docker("stop", "--time", "1", web);
      await delay(16_000);
      await bounceDaemon(stage.lab);
      return {
        ...truth(stage, "stopped-came-back", web),
        symptom: "any",
        shows: async () => (await state(stage, web)).Status === "running",
      };
    },
  },
  {
    id: "autoheal-loop",
    family: "J",
    about: "a helper restarts a working service because of a wrong health check",
    async inject(stage) {
      const { web } = stage.names;
      const check = stage.random.pick([
        "wget-not-there -q http://localhost:8000/healthz",
        "curl -fs http://localhost:8080/healthz",
        "curl -fs http://localhost:8000/old-health",
      ]);
      await stage.service(web, { args: health(check) });
      await heal(stage, web, 3);
      return {
        ...truth(stage, "autoheal-loop", web),
        symptom: "any",
        shows: async () => (await stage.get(web, 8000, "/"))?.status === 200,
      };
    },
  },
  {
    id: "start-period-short",
    family: "M",
    about: "a slow start is judged too early and a helper restarts it",
    async inject(stage) {
      const { web } = stage.names;
      await stage.service(web, {
        args: health("curl -fs http://localhost:8000/healthz"),
        env: { BOOT_SLEEP: String(stage.random.between(40, 90)) },
      });
      await heal(stage, web, 3);
      return {
        ...truth(stage, "start-period-short", web),
        symptom: "any",
        shows: async () => (await stage.get(web, 8000, "/")) === null,
      };
    },
  },
];

function health(check: string): string[] {
  return ["--health-cmd", check, "--health-interval", "1s", "--health-retries", "2", "--health-timeout", "2s"];
}

/** What autoheal does: waits for unhealthy, restarts through the engine. */
async function heal(stage: Stage, name: string, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await stage.until("unhealthy", async () => (await state(stage, name)).Health?.Status === "unhealthy");
    await stage.docker("restart", "--time", "1", name);
  }
}
