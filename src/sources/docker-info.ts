import type { EngineInfo } from "../core/readings.ts";
import { flagOrNull, list, number, object, positive, text, textOrNull, texts } from "./json.ts";
import { type EvidenceSource, jsonOf, parsedFrom, toReading } from "./reading.ts";

/** Version and info in one reading. A proxy that forbids `info` still lets the version through, and the reverse fails. */
export const dockerInfo: EvidenceSource<"docker-info"> = {
  name: "docker-info",
  async read(reader, planned, context) {
    const [version, info] = await Promise.all([
      reader.docker({ read: "version" }, context.signal),
      reader.docker({ read: "info" }, context.signal),
    ]);
    const about = {
      source: planned.source,
      host: planned.host,
      containerId: null,
      read: `${version.read}, ${info.read}`,
    };
    const versionJson = jsonOf(version);
    if ("code" in versionJson) return toReading(about, { status: "failed", ...versionJson }, context);
    const infoJson = jsonOf(info);
    const masked = context.redactor.json([versionJson.value, "code" in infoJson ? {} : infoJson.value]);
    return toReading(about, parsedFrom(masked, parseEngineInfo), context);
  },
};

/** Takes `[version, info]`. Podman's compatible socket names itself in `Components`. */
export function parseEngineInfo(masked: unknown): EngineInfo {
  const [version, info] = list(masked).map(object);
  if (version === undefined || info === undefined) throw new Error("no version");
  const engine = text(version["Version"]);
  if (engine === "") throw new Error("no version");
  const podman = list(version["Components"]).some((part) => /podman/i.test(text(object(part)["Name"])));
  return {
    kind: podman ? "podman" : "docker",
    version: engine,
    major: /^\d+/.test(engine) ? Number.parseInt(engine, 10) : null,
    apiVersion: text(version["ApiVersion"]),
    kernelVersion: textOrNull(version["KernelVersion"]) ?? textOrNull(info["KernelVersion"]),
    osName: textOrNull(info["OperatingSystem"]),
    cgroupVersion: cgroupVersionOf(info["CgroupVersion"]),
    cgroupDriver: driverOf(info["CgroupDriver"]),
    rootDir: textOrNull(info["DockerRootDir"]),
    cpus: positive(info["NCPU"]),
    memoryBytes: positive(info["MemTotal"]),
    swapLimit: flagOrNull(info["SwapLimit"]),
    memoryLimitSupport: flagOrNull(info["MemoryLimit"]),
    liveRestore: flagOrNull(info["LiveRestoreEnabled"]),
    loggingDriver: textOrNull(info["LoggingDriver"]),
    storageDriver: textOrNull(info["Driver"]),
    warnings: texts(info["Warnings"]),
  };
}

/** Text in Docker, absent before 20.10 where only version 1 existed; Podman sends text too. */
function cgroupVersionOf(value: unknown): 1 | 2 | null {
  const found = typeof value === "string" ? Number(value) : number(value);
  return found === 1 || found === 2 ? found : null;
}

function driverOf(value: unknown): EngineInfo["cgroupDriver"] {
  return value === "cgroupfs" || value === "systemd" || value === "none" ? value : null;
}
