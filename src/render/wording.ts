import type { HostAction } from "../core/actions.ts";
import type { Confidence, EdgeProof, Verdict } from "../core/diagnosis.ts";
import type { SourceName } from "../core/evidence.ts";
import type { Actor } from "../core/incident.ts";
import { humanBytes } from "../core/rule.ts";

/**
 * Words shared by the thread, the terminal and the exports. Names in them come from hosts and are not encoded here:
 * every sink encodes what it is given.
 */
export function whoIs(actor: Actor): string {
  switch (actor.kind) {
    case "person":
      return actor.name ?? actor.userId;
    case "room137":
      return "room137";
    case "terminal":
      return "the terminal";
  }
}

/** The exact effect, short enough for a confirm dialog. */
export function actionWords(action: HostAction): string {
  const { container, host } = action;
  switch (action.action) {
    case "update-memory":
      return `set the memory limit of ${container} on ${host} to ${exactBytes(action.memoryBytes)}, memory plus swap to ${exactBytes(action.memorySwapBytes)}`;
    case "update-pids-limit":
      return `set the process limit of ${container} on ${host} to ${action.pidsLimit}`;
    case "update-restart-policy":
      return `set the restart policy of ${container} on ${host} to ${policyOf(action)}`;
    case "start":
      return `start ${container} on ${host}`;
    case "restart":
      return `restart ${container} on ${host}, with ${action.graceSeconds} s to finish`;
    case "unpause":
      return `unpause ${container} on ${host}`;
    case "connect-network":
      return `connect ${container} on ${host} to the network ${action.networkName}${action.aliases.length > 0 ? ` as ${action.aliases.join(", ")}` : ""}`;
  }
}

/** What a person would type to the same effect. For reading: room137 itself never runs a command line. */
export function actionCommand(action: HostAction): string {
  const name = shellWord(action.container);
  switch (action.action) {
    case "update-memory":
      return `docker update --memory ${action.memoryBytes} --memory-swap ${action.memorySwapBytes} ${name}`;
    case "update-pids-limit":
      return `docker update --pids-limit ${action.pidsLimit} ${name}`;
    case "update-restart-policy":
      return `docker update --restart ${policyOf(action)} ${name}`;
    case "start":
      return `docker start ${name}`;
    case "restart":
      return `docker restart --time ${action.graceSeconds} ${name}`;
    case "unpause":
      return `docker unpause ${name}`;
    case "connect-network": {
      const aliases = action.aliases.map((alias) => `--alias ${shellWord(alias)} `).join("");
      return `docker network connect ${aliases}${shellWord(action.networkName)} ${name}`;
    }
  }
}

/** Somebody will copy it: a name that a shell would read as more than a name is quoted. */
function shellWord(text: string): string {
  return /^[\w.][\w.-]*$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function policyOf(action: Extract<HostAction, { action: "update-restart-policy" }>): string {
  const retries = action.restartPolicy === "on-failure" && action.maximumRetryCount > 0;
  return retries ? `on-failure:${action.maximumRetryCount}` : action.restartPolicy;
}

/** `1 GiB`; with the bytes where the short form is not the whole truth, since people approve by it. */
function exactBytes(bytes: number): string {
  if (bytes < 0) return "unlimited";
  const short = humanBytes(bytes);
  return short.includes(".") ? `${short} (${bytes} bytes)` : short;
}

export const verdictWords: Record<Verdict, string> = {
  "root-cause": "root cause found",
  "no-fault-found": "no fault found",
  inconclusive: "no certain answer",
  "not-found": "nothing of that name found",
};

export const confidenceWords: Record<Confidence, string> = {
  confirmed: "confirmed by independent witnesses",
  probable: "probable, by one witness",
};

/** How it is known that one container needs another; ends the sentence "web depends on db, …". */
export const proofWords: Record<EdgeProof, string> = {
  log: "as its log says",
  connection: "by an open connection",
  alias: "by a network alias",
  address: "by an address it uses",
  env: "by an environment variable",
  label: "by a compose label",
  "proxy-config": "by its proxy configuration",
  config: "by room137's configuration",
  "shared-resource": "by something of the host that both use",
};

export const sourceWords: Record<SourceName, string> = {
  "docker-info": "docker info",
  "docker-list": "docker ps",
  "docker-inspect": "docker inspect",
  "docker-logs": "container log",
  "docker-events": "docker events",
  "docker-stats": "docker stats",
  "docker-top": "docker top",
  "docker-changes": "docker diff",
  "docker-networks": "docker networks",
  "docker-image": "docker image",
  "docker-usage": "docker system df",
  "docker-volumes": "docker volumes",
  "kernel-log": "kernel log",
  cgroup: "cgroup counters",
  "host-facts": "host facts",
  "host-disk": "host disks",
  "host-clock": "host clock",
  "host-processes": "host processes",
  "process-facts": "process facts",
  "http-probe": "HTTP probe",
  "tcp-probe": "TCP probe",
  "tls-probe": "TLS probe",
  "memory-series": "memory over time",
  "proxy-config": "proxy configuration",
};

/** `[e1] [e4]` with a space before it; nothing for no citation. */
export function cited(citations: readonly string[]): string {
  return citations.map((id) => ` [${id}]`).join("");
}

/** A sentence without its full stop, so that citations can follow inside it. */
export function withoutStop(sentence: string): string {
  return sentence.replace(/[.\s]+$/, "");
}

export function sentence(text: string, citations: readonly string[] = []): string {
  return `${withoutStop(text)}${cited(citations)}.`;
}

/** `2 h 3 min`, `41 s`; for the time between two moments. */
export function duration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Container ids at the length people know them by; for lines that are read, not for evidence. */
export function shortIds(text: string): string {
  return text.replace(/(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])/g, "$1");
}

/** `raise the limit of db, then start db`. */
export function stepsWords(steps: readonly { title: string }[]): string {
  return steps.map((step) => step.title).join(", then ");
}
