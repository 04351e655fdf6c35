import { posix } from "node:path";
import { limits } from "../core/limits.ts";
import { type ProxyConfigPath, proxyConfigPaths } from "../core/proxy-kind.ts";
import type { ProxyConfig } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import type { HostReader } from "../ports.ts";
import { inert } from "./inert.ts";
import { upstreamsIn } from "./proxy-upstreams.ts";
import { type EvidenceSource, type Failure, type ReadContext, replyFailure, toReading } from "./reading.ts";
import { tarFiles } from "./tar.ts";

/**
 * Whom a proxy's own configuration files name. They are taken out through the engine's archive, from a closed list of
 * paths; only hosts and ports of upstreams are kept of them. Empty when none of the files is there.
 */
export const proxyConfig: EvidenceSource<"proxy-config"> = {
  name: "proxy-config",
  async read(reader, planned, context) {
    const found = await Promise.all(
      proxyConfigPaths[planned.args.kind].map((path) => readPath(reader, planned, path, context)),
    );
    const there = found.filter((one) => "files" in one);
    const failed = found.find((one) => "code" in one);
    const about = { source: planned.source, host: planned.host, containerId: planned.containerId };
    const [first, ...more] = there.length === 0 ? found : there;
    const read = [first?.read ?? "", ...more.map((one) => one.read.replace(/^.*\?/, ""))].join(" and ");
    if (there.length === 0 && failed !== undefined)
      return toReading(
        { ...about, read },
        { status: "failed", code: failed.code, reason: failed.reason, fix: failed.fix },
        context,
      );
    const files = included(enabled(there.flatMap((one) => one.files)));
    const hashed = context.redactor.text(inert(files.map(({ text }) => text).join("\n")));
    if (files.length === 0) return toReading({ ...about, read }, { status: "empty", hashed }, context);
    const upstreams = files.flatMap(({ path, text }) =>
      upstreamsIn(planned.args.kind, text)
        .filter(({ host }) => context.redactor.text(host) === host)
        .map((upstream) => ({ path, ...upstream })),
    );
    const value: ProxyConfig = {
      kind: planned.args.kind,
      files: files.map(({ path }) => path),
      upstreams: upstreams.slice(0, limits.proxyUpstreams),
      complete: failed === undefined && there.every((one) => one.whole) && upstreams.length <= limits.proxyUpstreams,
    };
    return toReading({ ...about, read }, { status: "ok", value, hashed }, context);
  },
};

interface ConfigFile {
  path: string;
  /** A symbolic link in a folder of what is switched on; null for a file with its text. */
  link: string | null;
  text: string;
}

type Found = { read: string } & ({ files: ConfigFile[]; whole: boolean } | { absent: true } | Failure);

async function readPath(
  reader: HostReader,
  planned: PlannedRead<"proxy-config">,
  path: ProxyConfigPath,
  context: ReadContext,
): Promise<Found> {
  const reply = await reader.docker({ read: "archive", id: planned.containerId ?? "", path }, context.signal);
  const { read } = reply;
  const failure = replyFailure(reply);
  if (failure?.code === "not-found") return { read, absent: true };
  if (failure !== null) return { read, ...failure };
  if (!reply.ok) return { read, absent: true };
  const members = tarFiles(reply.body, limits.proxyConfigFiles);
  // The archive of a folder, and of a file alike, names its members from the last part of the path on.
  const files = members
    .filter(({ kind }) => kind !== "other")
    .map(({ name, kind, target, body }) => ({
      path: context.redactor.text(inert(posix.join(posix.dirname(path), name))).slice(0, 200),
      link: kind === "link" ? target : null,
      text: body.toString("utf8"),
    }));
  return { read, files, whole: !reply.truncated && members.length < limits.proxyConfigFiles };
}

/** nginx reads only what its main file includes, of its folders only what ends in `.conf`. */
function included(files: ConfigFile[]): ConfigFile[] {
  const main = files.find(({ path }) => path === "/etc/nginx/nginx.conf")?.text.replace(/#.*$/gm, "");
  return files.filter(({ path }) => {
    const folder = /^\/etc\/nginx\/(conf\.d|http\.d|sites)/.exec(path)?.[1];
    if (folder === undefined) return true;
    if (folder !== "sites" && !path.endsWith(".conf")) return false;
    return main === undefined || main.includes(folder === "sites" ? "sites-enabled/" : `${folder}/`);
  });
}

/** Debian's nginx reads the sites that a link in `sites-enabled` names, and no other of `sites-available`. */
function enabled(files: ConfigFile[]): ConfigFile[] {
  const linked = new Set(
    files.flatMap(({ path, link }) => (link === null ? [] : [posix.resolve(posix.dirname(path), link)])),
  );
  return files.filter(
    ({ path, link }) => link === null && (!path.startsWith("/etc/nginx/sites-available/") || linked.has(path)),
  );
}
