import type { NetworkFacts } from "../core/readings.ts";
import { flag, list, object, text, textMap, textOrNull, timeMs } from "./json.ts";
import { type EvidenceSource, jsonOf, parsedFrom, toReading } from "./reading.ts";

/** All networks; the list leaves the containers out, so the networks that matter are inspected too. */
export const dockerNetworks: EvidenceSource<"docker-networks"> = {
  name: "docker-networks",
  async read(reader, planned, context) {
    const ids = [...new Set(planned.args.inspectIds)];
    const [all, ...inspected] = await Promise.all([
      reader.docker({ read: "networks" }, context.signal),
      ...ids.map((id) => reader.docker({ read: "network", id }, context.signal)),
    ]);
    const read = ids.length === 0 ? all.read : `${all.read}, and ${ids.length} of them by id`;
    const about = { source: planned.source, host: planned.host, containerId: null, read };
    const listed = jsonOf(all);
    if ("code" in listed) return toReading(about, { status: "failed", ...listed }, context);
    // A network that went away between the two reads is simply not there any more.
    const details = inspected.map(jsonOf);
    const broken = details.find((detail) => "code" in detail && detail.code !== "not-found");
    if (broken !== undefined && "code" in broken) return toReading(about, { status: "failed", ...broken }, context);
    const found = details.flatMap((detail) => ("value" in detail ? [detail.value] : []));
    const masked = context.redactor.json([listed.value, found]);
    return toReading(about, parsedFrom(masked, parseNetworks), context);
  },
};

/** Takes `[list, inspected]`; what was inspected replaces its entry of the list. */
export function parseNetworks(masked: unknown): NetworkFacts[] | null {
  const [listed, inspected] = list(masked);
  const byId = new Map(list(inspected).map((network) => [text(object(network)["Id"]), network]));
  const networks = list(listed).map((network) => parseNetwork(byId.get(text(object(network)["Id"])) ?? network));
  return networks.length === 0 ? null : networks;
}

function parseNetwork(value: unknown): NetworkFacts {
  const network = object(value);
  return {
    id: text(network["Id"]),
    name: text(network["Name"]),
    driver: text(network["Driver"]),
    internal: flag(network["Internal"]),
    scope: text(network["Scope"]),
    createdAtMs: timeMs(network["Created"]),
    labels: textMap(network["Labels"]),
    subnets: list(object(network["IPAM"])["Config"])
      .map(object)
      .map((config) => ({
        subnet: text(config["Subnet"]),
        gateway: textOrNull(config["Gateway"]),
      })),
    containers: Object.entries(object(network["Containers"])).map(([id, attached]) => ({
      id,
      name: text(object(attached)["Name"]),
      // `172.18.0.5/16`
      address: textOrNull(text(object(attached)["IPv4Address"]).split("/")[0]),
    })),
  };
}
