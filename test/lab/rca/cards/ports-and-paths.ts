import type { Card } from "../card.ts";
import { both, callingWeb, callsFail, edgeFails, restarts, rootCause, settled, webAndApi } from "./network.ts";

const portCards: readonly Card[] = [
  {
    id: "port-already-allocated",
    family: "D",
    about: "web cannot start because another container publishes its port",
    async inject(stage) {
      const { web, worker } = stage.names;
      const port = 18_000 + stage.random.int(900);
      await stage.service(worker, { port: 8000, args: ["--publish", `${port}:8000`] });
      await stage.service(web, { args: ["--publish", `${port}:8000`] }).catch(() => "");
      const shows = async () => (await stage.inspect(web)).State["Status"] === "created";
      return rootCause(web, "port-already-allocated", worker, shows);
    },
  },
  {
    id: "port-already-allocated-sidecar",
    family: "D",
    about: "a sidecar in web's own network namespace listens on its port",
    async inject(stage) {
      const { web, cache } = stage.names;
      await stage.redis(cache, { settings: ["--port", "8000"] });
      await stage.service(web, { network: `container:${cache}`, env: { PORT: "8000" } });
      const shows = async () => (await stage.inspect(web)).State["Status"] === "exited";
      return rootCause(web, "port-already-allocated", cache, shows);
    },
  },
  {
    id: "address-pool-exhausted",
    family: "D",
    about: "the network has no address left for web",
    async inject(stage) {
      const { web, cache } = stage.names;
      const subnet = (await stage.gateway()).replace(/\d+$/, "");
      await stage.docker("network", "rm", stage.network);
      await stage.docker("network", "create", "--subnet", `${subnet}0/30`, stage.network);
      await stage.redis(cache);
      await stage.service(web, {}).catch(() => "");
      const shows = async () => (await stage.inspect(web)).State["Status"] === "created";
      return rootCause(web, "address-pool-exhausted", null, shows);
    },
  },
  {
    id: "app-binds-loopback",
    family: "D",
    about: "api listens on its own loopback only",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.service(api, { port: 8080, env: { BIND: "127.0.0.1" } });
      await callingWeb(stage, `http://${api}:8080/healthz`);
      return rootCause(web, "app-binds-loopback", api, both(callsFail(stage), settled(stage, api)));
    },
  },
  {
    id: "app-binds-loopback-self",
    family: "D",
    about: "the asked-about service itself listens on loopback only",
    async inject(stage) {
      const { web } = stage.names;
      const port = 19_000 + stage.random.int(900);
      await stage.service(web, { env: { BIND: "127.0.0.1" }, args: ["--publish", `${port}:8000`] });
      return { ...rootCause(web, "app-binds-loopback", web, settled(stage, web)), symptom: "any" };
    },
  },
  {
    id: "published-on-loopback",
    family: "D",
    about: "api is published for the host itself only, and web calls it through the host",
    async inject(stage) {
      const { web, api } = stage.names;
      const port = 20_000 + stage.random.int(900);
      await stage.docker("network", "create", "other-net");
      await stage.service(api, { port: 8080, network: "other-net", args: ["--publish", `127.0.0.1:${port}:8080`] });
      await callingWeb(stage, `http://${await stage.gateway()}:${port}/healthz`);
      return rootCause(web, "published-on-loopback", api, callsFail(stage));
    },
  },
  {
    id: "wrong-target-port",
    family: "D",
    about: "web's published port leads to a port where nobody listens",
    async inject(stage) {
      const { web } = stage.names;
      const port = 21_000 + stage.random.int(900);
      await stage.service(web, { port: 8000, args: ["--publish", `${port}:${stage.random.pick([80, 3000, 8080])}`] });
      return { ...rootCause(web, "wrong-target-port", web, settled(stage, web)), symptom: "any" };
    },
  },
  {
    id: "wrong-target-port-proxy",
    family: "D",
    about: "nginx sends requests to a port that api does not open",
    async inject(stage) {
      const { edge, api } = stage.names;
      await stage.service(api, { port: 8080 });
      await stage.nginx(
        edge,
        `server { listen 80; location / { proxy_pass http://${api}:${stage.random.pick([80, 3000, 9090])}; } }`,
      );
      return rootCause(edge, "wrong-target-port", edge, both(edgeFails(stage), settled(stage, api)));
    },
  },
];

const pathCards: readonly Card[] = [
  {
    id: "netns-drop",
    family: "D",
    about: "a firewall rule in api's network namespace drops what comes in",
    async inject(stage) {
      const { web, api } = stage.names;
      const { port } = await webAndApi(stage);
      await stage.inNetworkOf(api, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", String(port), "-j", "DROP");
      return { ...rootCause(web, "netns-drop", api, both(callsFail(stage), settled(stage, api))), ...restarts(api) };
    },
  },
  {
    id: "netns-drop-self",
    family: "D",
    about: "a firewall rule in the asked-about service's network namespace drops what comes in",
    async inject(stage) {
      const { web } = stage.names;
      await stage.service(web, {});
      await stage.inNetworkOf(
        web,
        "iptables",
        "-A",
        "INPUT",
        "-p",
        "tcp",
        "--dport",
        "8000",
        "!",
        "-i",
        "lo",
        "-j",
        "DROP",
      );
      return { ...rootCause(web, "netns-drop", web, settled(stage, web)), ...restarts(web), symptom: "any" };
    },
  },
  {
    id: "netns-reject",
    family: "D",
    about: "a firewall rule in api's network namespace refuses connections",
    async inject(stage) {
      const { web, api } = stage.names;
      const { port } = await webAndApi(stage);
      const how = stage.random.pick([["tcp-reset"], ["icmp-port-unreachable"]] as const);
      await stage.inNetworkOf(
        api,
        "iptables",
        "-A",
        "INPUT",
        "-p",
        "tcp",
        "--dport",
        String(port),
        "-j",
        "REJECT",
        "--reject-with",
        ...how,
      );
      return { ...rootCause(web, "netns-reject", api, both(callsFail(stage), settled(stage, api))), ...restarts(api) };
    },
  },
  {
    id: "listen-backlog-overflow",
    family: "D",
    about: "api listens and never accepts",
    async inject(stage) {
      const { web, api } = stage.names;
      const program =
        "import socket,time\ns=socket.socket()\ns.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\ns.bind(('0.0.0.0',8080))\ns.listen(1)\ntime.sleep(1e6)";
      await stage.run(api, { command: ["python3", "-c", program] });
      await callingWeb(stage, `http://${api}:8080/healthz`);
      const overflowed = async () => /TcpExt:.*/.test(await stage.inNetworkOf(api, "cat", "/proc/net/netstat"));
      return {
        ...rootCause(
          web,
          "listen-backlog-overflow",
          api,
          both(both(callsFail(stage), overflowed), settled(stage, api)),
        ),
        ...restarts(api),
      };
    },
  },
  {
    id: "ephemeral-ports-gone",
    family: "D",
    about: "web keeps every outgoing connection until its small range of local ports is used up",
    async inject(stage) {
      const { web, cache } = stage.names;
      await stage.redis(cache);
      const first = 40_000 + stage.random.int(2_000);
      const program = [
        "import os,socket,sys,time,traceback",
        "held=[]",
        "while True:",
        "  try:",
        "    held.append(socket.create_connection((os.environ['CACHE_HOST'],6379),2))",
        "  except OSError as error:",
        "    print(f'ERROR GET /cart 500 cache call failed: {error}',flush=True); time.sleep(1)",
      ].join("\n");
      await stage.run(web, {
        args: ["--sysctl", `net.ipv4.ip_local_port_range=${first} ${first + 99}`, "--env", `CACHE_HOST=${cache}`],
        command: ["python3", "-c", program],
      });
      const shows = async () => (await stage.logs(web)).includes("Cannot assign requested address");
      return { ...rootCause(web, "ephemeral-ports-gone", web, both(shows, settled(stage, web))), ...restarts(web) };
    },
  },
  {
    id: "dns-server-dead",
    family: "D",
    about: "web's configured name server does not answer",
    async inject(stage) {
      const { web } = stage.names;
      const server = (await stage.gateway()).replace(/\d+$/, (last) => String(Number(last) + 25));
      await callingWeb(stage, "http://api.partner.example:8080/v1", {
        webArgs: ["--dns", server, "--dns-opt", "timeout:1", "--dns-opt", "attempts:1"],
      });
      return rootCause(web, "dns-server-dead", web, callsFail(stage));
    },
  },
  {
    id: "proxy-env-hijack",
    family: "D",
    about: "HTTP_PROXY sends the calls to api to an outside proxy",
    async inject(stage) {
      const { web, api } = stage.names;
      await stage.service(api, { port: 8080 });
      const variable = stage.random.pick(["http_proxy", "HTTP_PROXY"]);
      await callingWeb(stage, `http://${api}:8080/healthz`, {
        webEnv: { [variable]: "http://proxy.corp.example:3128", no_proxy: "localhost,127.0.0.1" },
      });
      return rootCause(web, "proxy-env-hijack", web, callsFail(stage));
    },
  },
];

export const portAndPathCards: readonly Card[] = [...portCards, ...pathCards];
