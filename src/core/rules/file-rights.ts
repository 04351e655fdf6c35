import type { Finding } from "../diagnosis.ts";
import { type LogSignal, withoutTimes } from "../log-signals.ts";
import { treeOf } from "../process-tree.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { isUnder, mountOf } from "../storage.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * The kernel said no to a write, an owner change or a bind. The configuration says why: a read-only root, a mount the
 * host turned read-only, files of another user, a capability taken away, a port kept for root.
 */
export const fileRights: Rule = {
  name: "file-rights",
  causes: ["readonly-rootfs", "volume-remounted-ro", "volume-wrong-owner", "cap-dropped", "low-port-denied"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    return readOnly(world, view) ?? portDenied(world, view) ?? capability(world, view) ?? wrongOwner(world, view) ?? [];
  },
};

const pathPattern = /(?:^|[\s"'`(=[:,])(\/[A-Za-z0-9._@+/-]{1,255})/g;

function pathsOf(signals: readonly LogSignal[]): string[] {
  return signals.flatMap((signal) => [...signal.line.text.matchAll(pathPattern)].map((match) => match[1] ?? ""));
}

function readOnly(world: World, view: ContainerView): Finding[] | null {
  const said = told(world, view, ["read-only-filesystem"]);
  const seen = view.inspect;
  if (said === null || seen === null) return null;
  const paths = pathsOf(said.signals);
  const { mounts, readonlyRootfs, tmpfs } = seen.value;
  const remounted = remountedMount(world, view, paths);
  if (remounted !== null)
    return [
      { ...remounted, facts: [...remounted.facts, ...said.facts], witnesses: ["docker-logs", ...remounted.witnesses] },
    ];
  const inMount =
    paths.length > 0 &&
    paths.every(
      (path) =>
        mounts.some((mount) => isUnder(path, mount.destination)) ||
        Object.keys(tmpfs).some((target) => isUnder(path, target)),
    );
  if (!readonlyRootfs || inMount) return null;
  return [
    faultAt(view, {
      cause: "readonly-rootfs",
      summary: `${view.name} runs with a read-only root, and its program must write there; the disk is not broken`,
      facts: [cite(seen, "HostConfig.ReadonlyRootfs=true", view.name), ...said.facts],
      witnesses: ["docker-inspect", "docker-logs"],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: weight.proven,
      advice: [
        `Give ${view.name} a volume or a tmpfs where it writes${paths[0] === undefined ? "" : ` (${paths[0]})`}, or take read_only away.`,
      ],
    }),
  ];
}

/** A mount the container may write to while the host's table, or the kernel's log, says read-only. */
function remountedMount(world: World, view: ContainerView, paths: string[]): Finding | null {
  const host = hostOf(world, view.host);
  const seen = view.inspect;
  if (seen === null) return null;
  const writable = seen.value.mounts.filter((mount) => mount.readWrite && mount.type !== "tmpfs");
  const meant = writable.filter(
    (mount) => paths.length === 0 || paths.some((path) => isUnder(path, mount.destination)),
  );
  const candidates = meant.length > 0 ? meant : seen.value.readonlyRootfs ? [] : writable;
  for (const mount of candidates) {
    const below = mountOf(host, mount.source);
    const readOnlyNow = below?.options.split(",").includes("ro") === true;
    const fault = host?.kernel?.value.faults.findLast(
      (entry) =>
        entry.kind === "filesystem-read-only" &&
        (entry.device === null || below === null || below.device.includes(entry.device)),
    );
    if (!readOnlyNow && fault === undefined) continue;
    const facts = [cite(seen, `Mounts ${mount.destination} from ${mount.source}, RW=true`, view.name)];
    if (below !== null && readOnlyNow && host?.facts != null)
      facts.push(
        cite(
          host.facts,
          `mounted at ${below.target} from ${below.device}: ${below.options.split(",").slice(0, 6).join(",")}`,
          null,
        ),
      );
    if (host?.kernel != null && fault !== undefined) facts.push(cite(host.kernel, fault.text, null));
    return faultAt(view, {
      cause: "volume-remounted-ro",
      summary: `The host has the volume under ${mount.destination} of ${view.name} mounted read-only, although the container may write to it`,
      facts,
      witnesses: [...(readOnlyNow ? ["host-facts"] : []), ...(fault === undefined ? [] : ["kernel-log"])],
      weight: weight.proven,
      advice: [
        "Look in the host's kernel log why the file system was turned read-only, check it and its disk, and mount it writable again by hand.",
      ],
    });
  }
  return null;
}

const bindWords = /\b(?:bind|listen|binding|listening)\b/i;

function portDenied(world: World, view: ContainerView): Finding[] | null {
  const said = told(world, view, ["permission-denied"], (signal) => lowPortOf(signal) !== null);
  const seen = view.inspect;
  if (said === null || seen === null) return null;
  const port = said.signals.map(lowPortOf).find((one) => one !== null && one !== 0) ?? null;
  const dropped = seen.value.capDrop.some((name) => /^(?:ALL|(?:CAP_)?NET_BIND_SERVICE)$/i.test(name));
  const kept = seen.value.capAdd.some((name) => /^(?:ALL|(?:CAP_)?NET_BIND_SERVICE)$/i.test(name));
  const root = isRoot(seen.value.user);
  if (root && (!dropped || kept)) return null;
  const facts = [
    cite(
      seen,
      `Config.User=${seen.value.user || "root"} CapDrop=[${seen.value.capDrop.join(",")}] CapAdd=[${seen.value.capAdd.join(",")}]`,
      view.name,
    ),
    ...said.facts,
  ];
  return [
    faultAt(view, {
      cause: root ? "cap-dropped" : "low-port-denied",
      summary: root
        ? `${view.name} may not bind its port because the capability NET_BIND_SERVICE was removed`
        : `${view.name} runs as user ${seen.value.user || "other than root"} and may not bind ${port === null ? "a port below 1024" : `port ${port}`}`,
      facts,
      witnesses: ["docker-logs", "docker-inspect"],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: weight.proven,
      advice: [`Let ${view.name} listen on a port of 1024 or above and publish that, or give it NET_BIND_SERVICE.`],
    }),
  ];
}

/** The port below 1024 that a refused bind names; 0 when it names none; null when the line is about something else. */
function lowPortOf(signal: LogSignal): number | null {
  const text = withoutTimes(signal.line.text);
  if (!bindWords.test(text) || !/permission denied|EACCES/i.test(text)) return null;
  const ports = [...text.matchAll(/:(\d{1,5})\b(?!:)|\bport[ =:]+(\d{1,5})\b/gi)].map((match) =>
    Number(match[1] ?? match[2]),
  );
  const port =
    signal.parts["port"] === undefined ? ports.find((one) => one > 0 && one < 1_024) : Number(signal.parts["port"]);
  if (port !== undefined) return port < 1_024 ? port : null;
  return ports.length === 0 ? 0 : null;
}

function isRoot(user: string): boolean {
  return /^(?:|0|root)(?::.*)?$/.test(user);
}

/** Not a bind, and not a database's "permission denied for table". */
function isFileRefusal(signal: LogSignal): boolean {
  return !bindWords.test(signal.line.text) && !/permission denied for [a-z]+ /i.test(signal.line.text);
}

const needsCapability =
  /ch(?:own|grp|mod|root)|set(?:uid|gid|groups|resuid|cap|priv|pcap)|initgroups|mknod|raw socket|SOCK_RAW|ping|mount|sched_setscheduler|mlock|iptables|switch(?:ing)? (?:to )?user|changing (?:ownership|group|owner)|cannot set|su-exec|gosu|su:|nice|ioctl|tun|utime/i;

/** An owner change, a change of user or a raw socket was refused, and the configuration took capabilities away. */
function capability(world: World, view: ContainerView): Finding[] | null {
  const seen = view.inspect;
  if (seen === null || seen.value.capDrop.length === 0) return null;
  const all = seen.value.capDrop.some((name) => /^ALL$/i.test(name));
  const said =
    told(world, view, ["operation-not-permitted"]) ??
    told(world, view, ["permission-denied"], (signal) => all && isRoot(seen.value.user) && isFileRefusal(signal));
  if (said === null) return null;
  const certain = said.signals.some((signal) => needsCapability.test(signal.line.text));
  return [
    faultAt(view, {
      cause: "cap-dropped",
      summary: `${view.name} needs a kernel capability that its configuration takes away`,
      facts: [
        cite(
          seen,
          `HostConfig.CapDrop=[${seen.value.capDrop.join(",")}] CapAdd=[${seen.value.capAdd.join(",")}]`,
          view.name,
        ),
        ...said.facts,
      ],
      witnesses: ["docker-inspect", "docker-logs"],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: certain ? weight.proven : weight.strong,
      advice: [
        `Give back only the capability the refused call needs (cap_add), for example CHOWN or SETUID for an entrypoint that changes owners or user.`,
      ],
    }),
  ];
}

/** A folder mounted from outside refuses the program's user, which owns nothing there. */
function wrongOwner(world: World, view: ContainerView): Finding[] | null {
  const seen = view.inspect;
  if (seen === null) return null;
  const owner = told(world, view, ["server-datadir-permissions"], (signal) => /wrong ownership/.test(signal.line.text));
  const denied = told(world, view, ["permission-denied", "operation-not-permitted"], (signal) => isFileRefusal(signal));
  const said = owner ?? denied;
  if (said === null) return null;
  const places = [...seen.value.mounts.map((mount) => mount.destination)];
  const paths = [...pathsOf(said.signals), ...said.signals.flatMap((signal) => signal.parts["path"] ?? [])];
  const under = places.find((place) =>
    paths.some((path) => isUnder(path, place) || (path !== "/" && isUnder(place, path))),
  );
  const uid = treeOf(world, view)[0]?.uid ?? null;
  const privileged =
    isRoot(seen.value.user) && (uid === null || uid === "0" || uid === "root") && owner === null && !dropsUser(view);
  if (under === undefined || privileged) return null;
  const mount = seen.value.mounts.find((entry) => entry.destination === under);
  return [
    faultAt(view, {
      cause: "volume-wrong-owner",
      summary: `The files of the volume under ${under} of ${view.name} belong to another user than the one its program runs as`,
      facts: [
        cite(seen, `Mounts ${under} from ${mount?.source}; Config.User=${seen.value.user || "root"}`, view.name),
        ...said.facts,
      ],
      witnesses: ["docker-logs", "docker-inspect"],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: weight.strong,
      advice: [
        `Give the files under ${under} to the user that ${view.name} runs as (chown on the host), or run it as their owner.`,
      ],
    }),
  ];
}

/** Servers that start as root and go on as their own user. */
function dropsUser(view: ContainerView): boolean {
  const inspect = view.inspect?.value;
  return /postgres|mysql|mariadb|mongo|redis|rabbit|elastic|nginx|setpriv|gosu|su-exec/.test(
    `${inspect?.image} ${[...(inspect?.entrypoint ?? []), ...(inspect?.command ?? [])].join(" ")}`,
  );
}
