import type { ContainerInspect, EnvVar, HealthState, MountFacts, NetworkAttachment } from "../core/readings.ts";
import { containerStatus } from "./docker-list.ts";
import {
  flag,
  type Json,
  list,
  number,
  object,
  portOf,
  positive,
  text,
  textMap,
  textOrNull,
  texts,
  timeMs,
} from "./json.ts";
import { type EvidenceSource, jsonOf, parsedFrom, toReading } from "./reading.ts";
import type { Redactor } from "./redact.ts";

/** One container's full state. Secrets of its environment are learned here, and masked in what is read later. */
export const dockerInspect: EvidenceSource<"docker-inspect"> = {
  name: "docker-inspect",
  async read(reader, planned, context) {
    const reply = await reader.docker({ read: "inspect", id: planned.containerId ?? "" }, context.signal);
    const about = { source: planned.source, host: planned.host, containerId: planned.containerId, read: reply.read };
    const json = jsonOf(reply);
    if ("code" in json) return toReading(about, { status: "failed", ...json }, context);
    const env = maskEnv(object(object(json.value)["Config"])["Env"], context.redactor);
    const masked = context.redactor.json(json.value);
    return toReading(
      about,
      parsedFrom(masked, (root) => parseInspect(root, env)),
      context,
    );
  },
};

/** `NAME=value` pairs; the digests are taken before the values are masked. */
export function maskEnv(pairs: unknown, redactor: Pick<Redactor, "env">): EnvVar[] {
  return texts(pairs).map((pair) => {
    const at = pair.indexOf("=");
    return at < 0 ? redactor.env(pair, "") : redactor.env(pair.slice(0, at), pair.slice(at + 1));
  });
}

/** Takes the masked JSON, and the environment apart because its digests need the true values. */
export function parseInspect(masked: unknown, env: EnvVar[]): ContainerInspect {
  const root = object(masked);
  const config = object(root["Config"]);
  if (text(root["Id"]) === "") throw new Error("no id");
  return {
    id: text(root["Id"]),
    name: text(root["Name"]).replace(/^\//, ""),
    image: text(config["Image"]),
    imageId: text(root["Image"]),
    createdAtMs: timeMs(root["Created"]),
    restartCount: number(root["RestartCount"]) ?? 0,
    ...stateOf(object(root["State"])),
    ...limitsOf(object(root["HostConfig"])),
    ...settingsOf(object(root["HostConfig"])),
    ...configOf(config),
    env,
    networks: networksOf(object(object(root["NetworkSettings"])["Networks"])),
    mounts: list(root["Mounts"]).map(object).map(mountOf),
  };
}

function stateOf(state: Json) {
  const running = flag(state["Running"]);
  return {
    status: containerStatus(state["Status"]),
    running,
    paused: flag(state["Paused"]),
    restarting: flag(state["Restarting"]),
    oomKilled: flag(state["OOMKilled"]),
    exitCode: number(state["ExitCode"]),
    error: text(state["Error"]),
    pid: positive(state["Pid"]),
    startedAtMs: timeMs(state["StartedAt"]),
    finishedAtMs: timeMs(state["FinishedAt"]),
    health: healthOf(state["Health"] ?? state["Healthcheck"]),
  };
}

function healthOf(value: unknown): HealthState | null {
  const health = object(value);
  const status = text(health["Status"]);
  if (status === "" || status === "none") return null;
  return {
    status,
    failingStreak: number(health["FailingStreak"]) ?? 0,
    log: list(health["Log"])
      .map(object)
      .map((probe) => ({
        startAtMs: timeMs(probe["Start"]),
        endAtMs: timeMs(probe["End"]),
        exitCode: number(probe["ExitCode"]) ?? -1,
        output: text(probe["Output"]),
      })),
  };
}

function limitsOf(host: Json) {
  const swap = number(host["MemorySwap"]);
  return {
    memoryLimitBytes: positive(host["Memory"]),
    memorySwapBytes: swap === 0 ? null : swap,
    memoryReservationBytes: positive(host["MemoryReservation"]),
    oomKillDisable: flag(host["OomKillDisable"]),
    oomScoreAdj: number(host["OomScoreAdj"]),
    // -1 and 0 both mean no limit.
    pidsLimit: positive(host["PidsLimit"]),
    nanoCpus: positive(host["NanoCpus"]),
    cpuQuota: positive(host["CpuQuota"]),
    cpuPeriod: positive(host["CpuPeriod"]),
    cpuShares: positive(host["CpuShares"]),
    cpusetCpus: text(host["CpusetCpus"]),
    blkioThrottled: blkioKeys.some((key) => list(host[key]).length > 0),
    shmSizeBytes: positive(host["ShmSize"]),
    ulimits: list(host["Ulimits"])
      .map(object)
      .map((ulimit) => ({
        name: text(ulimit["Name"]),
        soft: number(ulimit["Soft"]) ?? -1,
        hard: number(ulimit["Hard"]) ?? -1,
      })),
  };
}

/** `/db:/web/store` says that db is known as store in web. */
function linkOf(entry: string): string {
  const [peer = "", place = ""] = entry.split(":");
  return `${peer.replace(/^\//, "")}:${place.split("/").at(-1) ?? ""}`;
}

const blkioKeys = ["BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"];

function settingsOf(host: Json) {
  const policy = object(host["RestartPolicy"]);
  const log = object(host["LogConfig"]);
  return {
    restartPolicy: {
      name: textOrNull(policy["Name"]) ?? "no",
      maximumRetryCount: number(policy["MaximumRetryCount"]) ?? 0,
    },
    cgroupParent: text(host["CgroupParent"]),
    readonlyRootfs: flag(host["ReadonlyRootfs"]),
    privileged: flag(host["Privileged"]),
    capAdd: texts(host["CapAdd"]),
    capDrop: texts(host["CapDrop"]),
    securityOpt: texts(host["SecurityOpt"]),
    tmpfs: textMap(host["Tmpfs"]),
    extraHosts: texts(host["ExtraHosts"]),
    links: texts(host["Links"]).map(linkOf),
    dns: texts(host["Dns"]),
    networkMode: text(host["NetworkMode"]),
    init: flag(host["Init"]),
    logDriver: text(log["Type"]),
    logOptions: textMap(log["Config"]),
    portBindings: Object.entries(object(host["PortBindings"])).flatMap(([key, bindings]) =>
      list(bindings).map((binding) => bindingOf(key, object(binding))),
    ),
  };
}

function bindingOf(key: string, binding: Json): ContainerInspect["portBindings"][number] {
  const port = portOf(key);
  const hostPort = Number(text(binding["HostPort"]));
  return {
    containerPort: port?.port ?? 0,
    protocol: port?.protocol ?? "tcp",
    hostAddress: text(binding["HostIp"]),
    // A range (`8000-8010`) is chosen from by the engine, like an empty port.
    hostPort: Number.isInteger(hostPort) && hostPort > 0 ? hostPort : null,
  };
}

function configOf(config: Json) {
  return {
    user: text(config["User"]),
    workingDir: text(config["WorkingDir"]),
    entrypoint: texts(config["Entrypoint"]),
    command: texts(config["Cmd"]),
    labels: textMap(config["Labels"]),
    exposedPorts: Object.keys(object(config["ExposedPorts"])).flatMap((key) => portOf(key) ?? []),
    healthcheck: healthcheckOf(config["Healthcheck"]),
    stopSignal:
      typeof config["StopSignal"] === "number" ? String(config["StopSignal"]) : textOrNull(config["StopSignal"]),
    stopTimeoutS: number(config["StopTimeout"]),
    hostname: text(config["Hostname"]),
  };
}

function healthcheckOf(value: unknown): ContainerInspect["healthcheck"] {
  const check = object(value);
  const test = texts(check["Test"]);
  if (test.length === 0 || test[0] === "NONE") return null;
  const ms = (ns: unknown) => {
    const found = positive(ns);
    return found === null ? null : found / 1e6;
  };
  return {
    test,
    intervalMs: ms(check["Interval"]),
    timeoutMs: ms(check["Timeout"]),
    retries: positive(check["Retries"]),
    startPeriodMs: ms(check["StartPeriod"]),
  };
}

function networksOf(networks: Json): NetworkAttachment[] {
  return Object.entries(networks).map(([name, value]) => {
    const attached = object(value);
    return {
      name,
      networkId: text(attached["NetworkID"]),
      address: textOrNull(attached["IPAddress"]),
      gateway: textOrNull(attached["Gateway"]),
      // DNSNames (API 1.44 and later) also holds what the engine resolves besides the aliases.
      aliases: [...new Set([...texts(attached["Aliases"]), ...texts(attached["DNSNames"])])],
    };
  });
}

function mountOf(mount: Json): MountFacts {
  return {
    type: text(mount["Type"]),
    name: textOrNull(mount["Name"]),
    source: text(mount["Source"]),
    destination: text(mount["Destination"]),
    readWrite: mount["RW"] !== false,
  };
}
