import type { EnvVar, ImageFacts } from "../core/readings.ts";
import { maskEnv } from "./docker-inspect.ts";
import { object, portOf, text, textOrNull, texts, timeMs } from "./json.ts";
import { type EvidenceSource, jsonOf, parsedFrom, toReading } from "./reading.ts";

/** One image by id. `containerId` says for which container it was read. */
export const dockerImage: EvidenceSource<"docker-image"> = {
  name: "docker-image",
  async read(reader, planned, context) {
    const reply = await reader.docker({ read: "image", id: planned.args.imageId }, context.signal);
    const about = { source: planned.source, host: planned.host, containerId: planned.containerId, read: reply.read };
    const json = jsonOf(reply);
    if ("code" in json) return toReading(about, { status: "failed", ...json }, context);
    const env = maskEnv(object(object(json.value)["Config"])["Env"], context.redactor);
    const masked = context.redactor.json(json.value);
    return toReading(
      about,
      parsedFrom(masked, (root) => parseImage(root, env)),
      context,
    );
  },
};

export function parseImage(masked: unknown, env: EnvVar[]): ImageFacts {
  const image = object(masked);
  const config = object(image["Config"]);
  if (text(image["Id"]) === "") throw new Error("no id");
  return {
    id: text(image["Id"]),
    tags: texts(image["RepoTags"]),
    digests: texts(image["RepoDigests"]),
    createdAtMs: timeMs(image["Created"]),
    architecture: text(image["Architecture"]),
    entrypoint: texts(config["Entrypoint"]),
    command: texts(config["Cmd"]),
    env,
    exposedPorts: Object.keys(object(config["ExposedPorts"])).flatMap((key) => portOf(key) ?? []),
    volumes: Object.keys(object(config["Volumes"])),
    user: textOrNull(config["User"]) ?? "",
  };
}
