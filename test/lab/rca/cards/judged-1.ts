import type { Card } from "../card.ts";
import type { Stage } from "../stage.ts";
import { fails, noPlan, pause } from "./dependencies.ts";

const answer = String.raw`read -r line
if out=$(timeout 5 bash -c "$CHECK" 2>&1); then
  printf 'HTTP/1.0 200 OK\r\n\r\nok'
else
  [ -n "$QUIET" ] || echo "handler: $line: $out" >&2
  printf 'HTTP/1.0 500 Internal Server Error\r\n\r\nfail'
fi`;

/** A web service made of socat and bash: 200 while the command succeeds. With `quiet` it never logs anything. */
async function shellWeb(
  stage: Stage,
  name: string,
  check: string,
  { quiet = false, args = [] as string[], network = stage.network as string | null } = {},
): Promise<void> {
  const settings = { ANSWER: answer, CHECK: check, QUIET: quiet ? "1" : "" };
  await stage.run(name, {
    args: [...args, ...Object.entries(settings).flatMap(([key, value]) => ["--env", `${key}=${value}`])],
    command: [
      "bash",
      "-c",
      `printf %s "$ANSWER" >/tmp/answer.sh; exec socat TCP-LISTEN:8000,fork,reuseaddr EXEC:"bash /tmp/answer.sh"`,
    ],
    network,
  });
}

async function works(stage: Stage, name: string): Promise<void> {
  await stage.until(`${name} works`, async () => (await stage.get(name, 8000, "/"))?.status === 200);
}

async function hostPid(stage: Stage, name: string): Promise<number> {
  return Number((await stage.docker("inspect", "--format", "{{.State.Pid}}", name)).trim());
}

const redis = ["redis-server", "--protected-mode", "no", "--save", ""];

/** Programs of shell, perl and plain sockets; peers known by an address, a link, a hosts entry or a published port. */
export const judgedFirstCards: readonly Card[] = [
  {
    id: "dep-paused-published-port",
    family: "C",
    about: "a shell service asks a paused cache through the host's published port",
    async inject(stage) {
      const { web, cache } = stage.names;
      const port = stage.random.between(20_000, 24_000);
      await stage.run(cache, { args: ["--publish", `${port}:6379`], command: redis, network: null });
      await shellWeb(stage, web, `redis-cli -h ${await stage.gateway()} -p ${port} incr hits | grep -q .`);
      await works(stage, web);
      await stage.docker("pause", cache);
      return {
        ...noPlan(stage, "dep-paused", cache),
        allowed: [{ action: "unpause", container: cache }],
        planExpected: true,
        shows: fails(stage, web, "/"),
      };
    },
  },
  {
    id: "dep-paused-host-network",
    family: "C",
    about: "the paused cache runs in the host's network, known only by the gateway and its port",
    async inject(stage) {
      const { web, cache } = stage.names;
      const port = stage.random.between(25_000, 29_000);
      await stage.run(cache, { command: [...redis, "--port", String(port)], network: "host" });
      await shellWeb(stage, web, `redis-cli -h ${await stage.gateway()} -p ${port} incr hits | grep -q .`);
      await works(stage, web);
      await stage.docker("pause", cache);
      return {
        ...noPlan(stage, "dep-paused", cache),
        allowed: [{ action: "unpause", container: cache }],
        planExpected: true,
        shows: fails(stage, web, "/"),
      };
    },
  },
  {
    id: "dep-paused-shell-chain",
    family: "C",
    about: "two shell services in a row hang because the database behind them is paused",
    async inject(stage) {
      const { edge, web, db } = stage.names;
      await stage.postgres(db);
      const url = `postgresql://app:wet-marble-5512@${db}:5432/shop`;
      await shellWeb(stage, web, `psql '${url}' -Atc 'select count(*) from items'`);
      await shellWeb(stage, edge, `curl -sf http://${web}:8000/`);
      await works(stage, edge);
      await stage.docker("pause", db);
      return {
        ...noPlan(stage, "dep-paused", db),
        service: edge,
        allowed: [{ action: "unpause", container: db }],
        planExpected: true,
        shows: fails(stage, edge, "/"),
      };
    },
  },
  {
    id: "dep-sigstop-silent-caller",
    family: "C",
    about: "the cache is frozen by a signal and its caller never logs anything",
    async inject(stage) {
      const { web, cache } = stage.names;
      await stage.run(cache, { command: redis });
      await shellWeb(stage, web, `redis-cli -h ${cache} incr hits | grep -q .`, { quiet: true });
      await works(stage, web);
      process.kill(await hostPid(stage, cache), "SIGSTOP");
      return {
        ...noPlan(stage, "dep-sigstop", cache),
        allowed: [{ action: "restart", container: cache }],
        planExpected: true,
        shows: fails(stage, web, "/"),
      };
    },
  },
  {
    id: "dep-stopped-behind-link",
    family: "C",
    about: "the stopped peer is known by a legacy link of the default bridge",
    async inject(stage) {
      const { web, cache } = stage.names;
      await stage.run(cache, { command: redis, network: null });
      await shellWeb(stage, web, "redis-cli -h store incr hits | grep -q .", {
        args: ["--link", `${cache}:store`],
        network: null,
      });
      await works(stage, web);
      await stage.docker("stop", cache);
      return {
        ...noPlan(stage, "dep-stopped", cache),
        allowed: [{ action: "start", container: cache }],
        planExpected: true,
        shows: fails(stage, web, "/"),
      };
    },
  },
  {
    id: "dep-stopped-behind-hosts-entry",
    family: "C",
    about: "the stopped peer is known by a hosts entry, and its address belongs to nobody now",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.run(api, {
        command: ["bash", "-c", "trap 'exit 0' TERM; socat TCP-LISTEN:9000,fork,reuseaddr EXEC:'echo ok' & wait"],
      });
      await shellWeb(stage, web, "socat -u TCP:lager.intern:9000,connect-timeout=3 -", {
        args: ["--add-host", `lager.intern:${await stage.address(api)}`],
      });
      await works(stage, web);
      await stage.docker("stop", api);
      return {
        ...noPlan(stage, "dep-stopped", api),
        allowed: [{ action: "start", container: api }],
        planExpected: true,
        shows: fails(stage, web, "/"),
      };
    },
  },
  {
    id: "cgroup-oom-main-known-by-address",
    family: "A",
    about: "a perl client knows the killed peer only as two words of its command line, address and port",
    async inject(stage) {
      const { web, api } = stage.names;
      const grow =
        "import socket,time,os\ns=socket.socket();s.bind(('',7000));s.listen(9)\ntime.sleep(6)\nx=[]\nwhile 1: x.append(os.urandom(1<<20)); time.sleep(.01)";
      await stage.run(api, { args: ["--memory", "40m", "--memory-swap", "40m"], command: ["python3", "-c", grow] });
      const ask =
        'while(1){my $s=IO::Socket::INET->new(PeerAddr=>$ARGV[0],PeerPort=>$ARGV[1],Timeout=>3) or warn "cannot talk to $ARGV[0]:$ARGV[1] - $@\\n"; sleep 2}';
      await stage.run(web, { command: ["perl", "-MIO::Socket::INET", "-e", ask, await stage.address(api), "7000"] });
      return {
        ...noPlan(stage, "cgroup-oom-main", api),
        symptom: "any",
        allowed: [
          { action: "update-memory", container: api },
          { action: "start", container: api },
        ],
        planExpected: true,
        shows: async () => (await stage.logs(web)).includes("cannot talk"),
      };
    },
  },
  {
    id: "jvm-heap-exhausted-loop",
    family: "A",
    about: "a runtime runs out of its own heap at every start and its policy starts it again",
    async inject(stage) {
      const { web } = stage.names;
      const words = String.raw`echo booting; sleep ${stage.random.between(3, 4)}; printf 'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space\n\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)\n'; exit 3`;
      await stage.run(web, {
        args: ["--memory", "512m", "--restart", "always", "--env", "JAVA_OPTS=-Xmx64m"],
        command: ["bash", "-c", words],
      });
      return {
        ...noPlan(stage, "jvm-heap-exhausted", web),
        shows: async () => Number(await stage.docker("inspect", "--format", "{{.RestartCount}}", web)) >= 2,
      };
    },
  },
  {
    id: "unhandled-exception-perl-loop",
    family: "B",
    about: "a perl program dies of a call on nothing at every start",
    async inject(stage) {
      const { web } = stage.names;
      await stage.run(web, {
        args: ["--restart", "always"],
        command: ["perl", "-e", 'sleep 1; my $x; $x->connect("a")'],
      });
      return {
        ...noPlan(stage, "unhandled-exception", web),
        shows: async () => Number(await stage.docker("inspect", "--format", "{{.RestartCount}}", web)) >= 3,
      };
    },
  },
  {
    id: "nginx-stale-upstream-recreated",
    family: "D",
    about: "the upstream was removed and created again at another address, without compose labels or settings",
    async inject(stage) {
      const { edge, web, worker } = stage.names;
      await stage.service(web, {});
      await stage.nginx(
        edge,
        `server { listen 80; location / { proxy_connect_timeout 3s; proxy_pass http://${web}:8000; } }`,
      );
      await stage.until("the proxy works", async () => (await stage.get(edge, 80, "/"))?.status === 200);
      await stage.docker("rm", "--force", web);
      await stage.run(worker, { command: ["sleep", "900"] });
      await stage.service(web, {});
      await pause(1_000);
      return {
        ...noPlan(stage, "nginx-stale-upstream", edge),
        service: edge,
        allowed: [{ action: "restart", container: edge }],
        planExpected: true,
        shows: async () => ((await stage.get(edge, 80, "/"))?.status ?? 0) >= 500,
      };
    },
  },
  {
    id: "redis-readonly-replica-plain-words",
    family: "G",
    about: "writes go to a replica, and the client library drops the error's first word",
    async inject(stage) {
      const { web, cache, api } = stage.names;
      await stage.run(api, { command: redis });
      await stage.run(cache, { command: [...redis, "--replicaof", api, "6379"] });
      await shellWeb(
        stage,
        web,
        `redis-cli -e -h ${cache} incr hits 2>&1 | sed 's/^.*READONLY //' | tee /dev/stderr | grep -q '^[0-9]'`,
      );
      return { ...noPlan(stage, "redis-readonly-replica", cache), shows: fails(stage, web, "/") };
    },
  },
  {
    id: "external-sigkill-came-back",
    family: "B",
    about: "killed from the host and brought back by its policy: told, and nothing is left to do",
    async inject(stage) {
      const { web, cache } = stage.names;
      await stage.run(cache, { args: ["--restart", "always"], command: redis });
      await shellWeb(stage, web, `redis-cli -h ${cache} incr hits | grep -q .`);
      await works(stage, web);
      await pause(11_000);
      process.kill(await hostPid(stage, cache), "SIGKILL");
      await pause(2_000);
      return {
        ...noPlan(stage, "external-sigkill", cache),
        shows: async () => (await stage.get(web, 8000, "/"))?.status === 200,
      };
    },
  },
];
