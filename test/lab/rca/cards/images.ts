import type { Stage } from "../stage.ts";
import { webFrame } from "./programs.ts";

/** Builds an image from the lab image with these files in it, by `docker commit`: nothing is downloaded. */
export async function buildImage(
  stage: Stage,
  tag: string,
  files: Record<string, string>,
  command: readonly string[],
): Promise<void> {
  const writes = Object.entries(files).map(([path, text]) => {
    const folder = path.slice(0, path.lastIndexOf("/"));
    return `mkdir -p '${folder}' && echo ${Buffer.from(text).toString("base64")} | base64 -d > '${path}'`;
  });
  await stage.docker("run", "--name", "image-builder", "room137/lab:latest", "sh", "-c", writes.join(" && "));
  await stage.docker("commit", "--change", `CMD ${JSON.stringify(command)}`, "image-builder", tag);
  await stage.docker("rm", "image-builder");
}

/** `docker run -d` of another image than the lab's, on the stage's network. */
export function runImage(
  stage: Stage,
  name: string,
  tag: string,
  args: readonly string[] = [],
  command: readonly string[] = [],
) {
  return stage.docker("run", "--detach", "--name", name, "--network", stage.network, ...args, tag, ...command);
}

/** A service whose `/items` returns what `body` computes. */
export function program(body: string, setup = ""): string {
  const indented = body
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
  return `${webFrame}\n${setup}\ndef handle(path):\n    if path != "/items":\n        return 404, "not found"\n${indented}\nserve()\n`;
}

export const good = program('return 200, json.dumps([{"id": 1, "price": "9.90"}])');

/** Faults a release brings, as programs have them. */
export const bad = [
  program('row = {"id": 1, "price": None}\nreturn 200, str(round(row["price"] * 1.19, 2))'),
  program('rows = [{"id": 1}]\nreturn 200, rows[0]["cents"]'),
  program('return 200, json.loads("<html>")["items"]'),
];
