import type { VolumeFacts } from "../core/readings.ts";
import { list, object, text, textMap, timeMs } from "./json.ts";
import { type EvidenceSource, readJson } from "./reading.ts";

/** All named volumes of a host. */
export const dockerVolumes: EvidenceSource<"docker-volumes"> = {
  name: "docker-volumes",
  read: (reader, planned, context) => readJson(reader, planned, { read: "volumes" }, context, parseVolumes),
};

export function parseVolumes(masked: unknown): VolumeFacts[] | null {
  const volumes = list(object(masked)["Volumes"])
    .map(object)
    .map((volume) => ({
      name: text(volume["Name"]),
      driver: text(volume["Driver"]),
      mountpoint: text(volume["Mountpoint"]),
      createdAtMs: timeMs(volume["CreatedAt"]),
      labels: textMap(volume["Labels"]),
      options: textMap(volume["Options"]),
    }));
  return volumes.length === 0 ? null : volumes;
}
