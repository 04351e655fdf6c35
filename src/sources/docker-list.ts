import type { ContainerStatus, ContainerSummary } from "../core/readings.ts";
import { list, number, object, positive, text, textMap, textOrNull, texts } from "./json.ts";
import { type EvidenceSource, readJson } from "./reading.ts";

/** All containers of a host, stopped ones too. */
export const dockerList: EvidenceSource<"docker-list"> = {
  name: "docker-list",
  read: (reader, planned, context) => readJson(reader, planned, { read: "list" }, context, parseContainerList),
};

/** Null where the host has no container at all. */
export function parseContainerList(masked: unknown): ContainerSummary[] | null {
  if (!Array.isArray(masked)) throw new Error("not a list");
  return masked.length === 0 ? null : masked.map(parseSummary);
}

/** A state this program does not know is kept out of the closed set as `dead`, the one that promises nothing. */
export function containerStatus(value: unknown): ContainerStatus {
  const known = statuses.find((status) => status === value);
  if (known !== undefined) return known;
  if (value === "configured" || value === "initialized") return "created";
  if (value === "stopped" || value === "stopping") return "exited";
  return "dead";
}

/** The engine's own words; Podman adds configured, initialized, stopped and stopping. */
const statuses: ContainerStatus[] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

function parseSummary(value: unknown): ContainerSummary {
  const item = object(value);
  const id = text(item["Id"]);
  if (id === "") throw new Error("a container without an id");
  const createdS = positive(item["Created"]);
  return {
    id,
    name: ownName(texts(item["Names"])),
    image: text(item["Image"]),
    imageId: text(item["ImageID"]),
    status: containerStatus(item["State"]),
    statusText: text(item["Status"]),
    createdAtMs: createdS === null ? null : createdS * 1000,
    labels: textMap(item["Labels"]),
    networks: Object.entries(object(object(item["NetworkSettings"])["Networks"])).map(([name, attached]) => ({
      name,
      address: textOrNull(object(attached)["IPAddress"]),
    })),
    ports: list(item["Ports"])
      .map(object)
      .map((port) => ({
        containerPort: number(port["PrivatePort"]) ?? 0,
        hostPort: positive(port["PublicPort"]),
        hostAddress: textOrNull(port["IP"]),
        protocol: textOrNull(port["Type"]) ?? "tcp",
      })),
  };
}

/** Legacy links add names like `/web/db`; the own name has one slash only. */
function ownName(names: string[]): string {
  const own = names.find((name) => !name.slice(1).includes("/")) ?? names[0] ?? "";
  return own.replace(/^\//, "");
}
