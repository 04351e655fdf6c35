import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { imageRoot } from "./image-root.ts";
import { run } from "./processes.ts";

export const LAB_IMAGE = "room137/lab:latest";

const APPS = join(import.meta.dirname, "apps");

/** Gives the engine the lab's image: the cached root file system plus the programs in `apps`, as one layer more. */
export async function ensureImage(dockerSocket: string, log: (line: string) => void): Promise<void> {
  const docker = (...args: string[]) => run("docker", ["-H", `unix://${dockerSocket}`, ...args]);
  const root = await imageRoot(dockerSocket, log);
  const version = appsHash();
  const known = (
    await docker("image", "ls", "--quiet", "--filter", `label=room137.lab.apps=${version}`, LAB_IMAGE)
  ).trim();
  if (known !== "") return;
  log("importing the image");
  const base = (await docker("import", root)).trim();
  const container = (await docker("create", base, "/bin/true")).trim();
  try {
    await docker("cp", `${APPS}/.`, `${container}:/opt/lab`);
    const env = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1";
    const label = `LABEL room137.lab.apps=${version}`;
    await docker("commit", "--change", env, "--change", label, "--change", "CMD []", container, LAB_IMAGE);
  } finally {
    await docker("rm", "--force", container);
  }
}

function appsHash(): string {
  const entries = readdirSync(APPS, { withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
  return sha256(files.map((name) => `${name}\n${readFileSync(join(APPS, name), "utf8")}`).join("\n"));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
