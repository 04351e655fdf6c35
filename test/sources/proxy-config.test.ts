import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../src/core/limits.ts";
import type { ProxyKind } from "../../src/core/proxy-kind.ts";
import type { ProxyConfig } from "../../src/core/readings.ts";
import type { DockerRead, HostReader } from "../../src/ports.ts";
import { proxyConfig } from "../../src/sources/proxy-config.ts";
import { upstreamsIn } from "../../src/sources/proxy-upstreams.ts";
import { createRedactor } from "../../src/sources/redact.ts";
import { tarFiles } from "../../src/sources/tar.ts";
import { reply } from "./recorded.ts";

/** An archive as tar writes it: type 0 a file, 2 a link, 5 a folder. */
function tar(...members: { name: string; text?: string; link?: string }[]): Buffer {
  const blocks = members.flatMap(({ name, text = "", link }) => {
    const header = Buffer.alloc(512);
    const body = Buffer.from(text);
    header.write(name, 0);
    header.write("0000644\0", 100);
    header.write(`${body.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write(link === undefined ? (name.endsWith("/") ? "5" : "0") : "2", 156);
    header.write(link ?? "", 157);
    header.write("ustar\x0000", 257);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1_024)]);
}

const places = (kind: ProxyKind, text: string) =>
  upstreamsIn(kind, text).map(({ host, port, line }) => `${line} ${host}:${port}`);

describe("the upstreams of", () => {
  it("nginx are what it passes to and the servers of its groups, not the groups, comments and listening servers", () => {
    const text = `
      upstream shop { server app-1:8000 weight=2; # server old:1;
        server "app-2:8000" backup; server unix:/run/x.sock; }
      server {
        listen 80; server_name app-3:80;
        location / { proxy_pass http://shop; }
        location /api/ { proxy_pass http://api.internal/v1/; }
        location /php { fastcgi_pass fpm:9000; }
        location /b { set $b http://later:7000; proxy_pass $b; }
        location /c { proxy_pass https://user:secret@[fd00::1]:8443/x; }
        # proxy_pass http://gone:1;
      }`;
    expect(places("nginx", text)).toEqual([
      "2 app-1:8000",
      "3 app-2:8000",
      "7 api.internal:80",
      "8 fpm:9000",
      "9 later:7000",
      "10 fd00::1:8443",
    ]);
  });

  it("HAProxy are the servers of its backends, not its resolvers and not what a variable holds", () => {
    const text = [
      "resolvers r",
      "  nameserver dns 127.0.0.11:53",
      "frontend web",
      "  bind :80",
      "backend app",
      "  server s1 app:8000 check resolvers r # server s9 no:1",
      "  server s2 ipv4@10.0.0.7:8000",
      `  server s3 "$${"{APP}"}:80"`,
      "  server-template t 3 pool.local:9000 check",
      "listen db",
      "  server pg db:5432",
    ].join("\n");
    expect(places("haproxy", text)).toEqual(["6 app:8000", "7 10.0.0.7:8000", "9 pool.local:9000", "11 db:5432"]);
  });

  it("Traefik are the servers of its services, in YAML and in TOML, not where it listens itself", () => {
    const yaml =
      'entryPoints:\n  web:\n    address: ":80"\nservers:\n  - url: "http://app:8000/"\n  - { address: db:5432 }';
    expect(places("traefik", yaml)).toEqual(["5 app:8000", "6 db:5432"]);
    expect(places("traefik", '[[http.services.a.loadBalancer.servers]]\n  url = "https://app"')).toEqual(["2 app:443"]);
  });

  it("Envoy are the addresses of its clusters, however they are written", () => {
    const text = [
      "static_resources:",
      "  listeners: [{ address: { socket_address: { address: 0.0.0.0, port_value: 80 } } }]",
      "  clusters:",
      "  - socket_address:",
      "      protocol: TCP",
      "      address: app",
      "      port_value: 8000",
      '  - {"socket_address": {"address": "cache", "port_value": 6379}}',
    ].join("\n");
    expect(places("envoy", text)).toEqual(["6 app:8000", "8 cache:6379"]);
  });

  it("Caddy are what it proxies to, on the line and in the block", () => {
    const text =
      "shop.example {\n reverse_proxy /api/* api:9000 http://api-2 {\n  to late:1\n }\n php_fastcgi fpm:9000\n}";
    expect(places("caddy", text)).toEqual(["2 api:9000", "2 api-2:80", "3 late:1", "5 fpm:9000"]);
  });

  it("any proxy are found in linear time, and hostile text makes no place of more than name and port", () => {
    for (const kind of ["nginx", "haproxy", "traefik", "envoy", "caddy"] as const) {
      const long = `${"proxy_pass http://a{ server x address: a, ".repeat(10_000)}${"url: ".repeat(20_000)}${"{".repeat(50_000)}`;
      expect(upstreamsIn(kind, long).length).toBeGreaterThanOrEqual(0);
      fc.assert(
        fc.property(fc.string({ maxLength: 400, unit: "binary" }), (text) => {
          for (const { host } of upstreamsIn(kind, text)) expect(host).toMatch(/^[a-z0-9.:_-]{1,254}$/);
        }),
      );
    }
  });
});

describe("an archive", () => {
  it("yields its files and links, long names too, and what is whole of one that was cut", () => {
    const whole = tar({ name: "conf.d/" }, { name: "conf.d/a.conf", text: "a" }, { name: "conf.d/b", link: "../x" });
    expect(tarFiles(whole, 10).map(({ name, kind, target }) => [name, kind, target])).toEqual([
      ["conf.d/", "other", ""],
      ["conf.d/a.conf", "file", ""],
      ["conf.d/b", "link", "../x"],
    ]);
    expect(tarFiles(whole.subarray(0, 1_020), 10)).toHaveLength(1);
    const long = tar({ name: "././@LongLink", text: `${"d/".repeat(80)}x.conf\0` }, { name: "cut.conf", text: "x" });
    long.write("L", 156);
    expect(tarFiles(long, 10).map(({ name }) => name)).toEqual([`${"d/".repeat(80)}x.conf`]);
  });

  it("is never more than it is, whatever its bytes say", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2_048 }), (bytes) => tarFiles(Buffer.from(bytes), 5).length <= 5));
  });
});

const containerId = "ab".repeat(32);

/** Reads the configuration of a container whose paths answer so; what is not named is not there. */
async function readFrom(answers: Record<string, Buffer | number>, kind: ProxyKind = "nginx") {
  const asked: DockerRead[] = [];
  const docker: HostReader["docker"] = async (read) => {
    asked.push(read);
    const answer = read.read === "archive" ? (answers[read.path] ?? 404) : 404;
    return typeof answer === "number" ? reply('{"message":"no"}', answer) : reply(answer);
  };
  const reading = await proxyConfig.read(
    { docker } as HostReader,
    { host: "h1", source: "proxy-config", containerId, args: { kind } },
    { clock: { nowMs: () => 0 }, redactor: createRedactor(), signal: AbortSignal.timeout(1_000) },
  );
  if (Array.isArray(reading)) throw new Error("one reading a container");
  const value = reading.outcome.status === "ok" ? (reading.outcome.value as ProxyConfig) : null;
  return { reading, value, asked };
}

describe("a proxy's configuration", () => {
  const main = tar({ name: "nginx.conf", text: "http { include /etc/nginx/conf.d/*.conf; }" });

  it("is the files that are in effect, and of them only places: a secret beside one is not kept", async () => {
    const { value, reading } = await readFrom({
      "/etc/nginx/nginx.conf": main,
      "/etc/nginx/conf.d": tar(
        {
          name: "conf.d/app.conf",
          text: "server {\n proxy_set_header Authorization s3cr3t;\n proxy_pass http://u:p@app:8000;\n}",
        },
        { name: "conf.d/old.conf.bak", text: "server { proxy_pass http://old:1; }" },
      ),
      "/etc/nginx/sites-enabled": tar({ name: "sites-enabled/x", text: "server { proxy_pass http://unused:1; }" }),
    });
    expect(value).toMatchObject({
      upstreams: [{ path: "/etc/nginx/conf.d/app.conf", line: 3, host: "app", port: 8000 }],
      complete: true,
    });
    expect(JSON.stringify(reading)).not.toMatch(/s3cr3t|u:p/);
  });

  it("follows the links of what is switched on", async () => {
    const { value } = await readFrom({
      "/etc/nginx/sites-enabled": tar({ name: "sites-enabled/shop", link: "../sites-available/shop" }),
      "/etc/nginx/sites-available": tar(
        { name: "sites-available/shop", text: "server { proxy_pass http://shop:1; }" },
        { name: "sites-available/off", text: "server { proxy_pass http://off:1; }" },
      ),
    });
    expect(value?.upstreams.map(({ host }) => host)).toEqual(["shop"]);
  });

  it("is empty where none of the files is there, and says whom to ask where it may not be read", async () => {
    expect((await readFrom({})).reading.outcome).toEqual({ status: "empty" });
    const { reading } = await readFrom({ "/etc/haproxy/haproxy.cfg": 403 }, "haproxy");
    expect(reading.outcome).toMatchObject({ status: "failed", code: "permission-denied" });
  });

  it("says that it is not complete when a file was refused or there are too many places", async () => {
    const one = tar({ name: "haproxy.cfg", text: "backend a\nserver s app:1" });
    const refused = await readFrom(
      { "/usr/local/etc/haproxy/haproxy.cfg": one, "/etc/haproxy/haproxy.cfg": 500 },
      "haproxy",
    );
    expect(refused.value).toMatchObject({ complete: false, upstreams: [{ host: "app" }] });
    const text = `backend a\n${Array.from({ length: 500 }, (_, at) => `server s${at} h${at}:80`).join("\n")}`;
    const many = await readFrom({ "/etc/haproxy/haproxy.cfg": tar({ name: "haproxy.cfg", text }) }, "haproxy");
    expect(many.value?.upstreams).toHaveLength(limits.proxyUpstreams);
    expect(many.value?.complete).toBe(false);
  });

  it("asks for the closed list of paths and nothing else", async () => {
    const { asked } = await readFrom({}, "caddy");
    expect(asked).toEqual([{ read: "archive", id: containerId, path: "/etc/caddy/Caddyfile" }]);
  });
});
