import { treeOf } from "./process-tree.ts";
import type { ContainerView, World } from "./world.ts";

export type ProxyKind = "nginx" | "haproxy" | "traefik" | "envoy" | "caddy";

/**
 * The only files that are ever read out of a container: where these programs and their packages keep the configuration
 * by default. A folder stands for the files in it. `manifests/host-setup/docker-filter.cfg` lists the same paths.
 */
export const proxyConfigPaths = {
  nginx: [
    "/etc/nginx/nginx.conf",
    "/etc/nginx/conf.d",
    "/etc/nginx/http.d",
    "/etc/nginx/sites-enabled",
    "/etc/nginx/sites-available",
  ],
  haproxy: ["/usr/local/etc/haproxy/haproxy.cfg", "/etc/haproxy/haproxy.cfg"],
  traefik: [
    "/etc/traefik/traefik.yml",
    "/etc/traefik/traefik.yaml",
    "/etc/traefik/traefik.toml",
    "/etc/traefik/dynamic",
    "/etc/traefik/dynamic.yml",
    "/etc/traefik/dynamic.yaml",
    "/etc/traefik/dynamic.toml",
  ],
  envoy: ["/etc/envoy/envoy.yaml", "/etc/envoy/envoy.yml"],
  caddy: ["/etc/caddy/Caddyfile"],
} as const satisfies Record<ProxyKind, readonly string[]>;

export type ProxyConfigPath = (typeof proxyConfigPaths)[ProxyKind][number];

const programs: Record<ProxyKind, RegExp> = {
  nginx: /(^|[/\s_-])(nginx|openresty|angie|tengine)([:\s@_-]|$)/,
  haproxy: /(^|[/\s_-])haproxy([:\s@_-]|$)/,
  traefik: /(^|[/\s_-])traefik([:\s@_-]|$)/,
  envoy: /(^|[/\s_-])envoy([:\s@_-]|$)/,
  caddy: /(^|[/\s_-])caddy([:\s@_-]|$)/,
};

/** How each program is told to read another file than its own. */
const otherFile: Record<ProxyKind, RegExp> = {
  nginx: /(?:^|\s)-c ?(\S+)/g,
  haproxy: /(?:^|\s)-f (\S+)/g,
  traefik: /(?:^|\s)--configfile[= ](\S+)/gi,
  envoy: /(?:^|\s)(?:-c|--config-path)[= ](\S+)/g,
  caddy: /(?:^|\s)--config[= ](\S+)/g,
};

/** Which proxy a container runs, by its processes, its command line or its image. Null when nothing says so. */
export function proxyProgram(world: Pick<World, "hosts">, view: ContainerView): ProxyKind | null {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return null;
  const started = [...inspect.entrypoint, ...inspect.command].join(" ");
  const rows = treeOf(world, view).map((row) => row.command);
  const said = [...rows, started, inspect.image].map((text) => text.slice(0, 1_000).toLowerCase());
  return (Object.keys(programs) as ProxyKind[]).find((one) => said.some((text) => programs[one].test(text))) ?? null;
}

/** The same, and null when it was told to read a file in another place: the one in the usual place is then not what it does. */
export function proxyKind(world: Pick<World, "hosts">, view: ContainerView): ProxyKind | null {
  const kind = proxyProgram(world, view);
  const inspect = view.inspect?.value;
  if (kind === null || inspect === undefined) return null;
  const started = [...inspect.entrypoint, ...inspect.command].join(" ");
  const rows = treeOf(world, view);
  const lines = [started, ...rows.map((row) => row.args)].filter((text) => programs[kind].test(text));
  const usual: readonly string[] = proxyConfigPaths[kind];
  const told = lines.flatMap((text) =>
    [...text.slice(0, 4_096).matchAll(otherFile[kind])].map((match) => match[1] ?? ""),
  );
  return told.every((path) => usual.includes(path.replace(/["']/g, ""))) ? kind : null;
}
