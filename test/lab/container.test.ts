import { cpSync, linkSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LAB_IMAGE } from "./images.ts";
import { type Lab, startLab } from "./lab.ts";
import { attempt, eventually } from "./processes.ts";

const project = join(import.meta.dirname, "../..");
/** As an operator runs it: nothing of the root file system can be written, no right is held. */
const hardened = [
  ...["--read-only", "--tmpfs", "/tmp", "--volume", "room137-data:/data"],
  ...["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "512m", "--pids-limit", "200"],
];
/** The local room is only opened on loopback, so nothing outside the container is asked. */
const local = ["--env", "HOST=127.0.0.1"];

let lab: Lab;

beforeAll(async () => {
  lab = await startLab({ name: "container", engine: "private" });
  await buildImage();
});
afterAll(async () => {
  await lab?.stop();
});

/**
 * The Dockerfile itself, with two stand-ins where no registry answers: a base made of the lab's Debian and this Node,
 * and the production part of the installed packages in place of `npm ci`.
 */
async function buildImage(): Promise<void> {
  const base = join(lab.dir, "base");
  mkdirSync(base);
  linkOrCopy(process.execPath, join(base, "node"));
  writeFileSync(join(base, "Dockerfile"), `FROM ${LAB_IMAGE}\nCOPY node /usr/local/bin/node\n`);
  await build(base, "node:24-slim");
  const context = join(lab.dir, "context");
  mkdirSync(context);
  for (const name of ["package.json", "package-lock.json", ".npmrc", "LICENSE", "bin", "handlers", "manifests", "src"])
    cpSync(join(project, name), join(context, name), { recursive: true });
  for (const path of productionPackages()) {
    cpSync(join(project, path), join(context, path), { recursive: true, filter: (from) => !nested(path, from) });
  }
  const ignored = readFileSync(join(project, ".dockerignore"), "utf8");
  writeFileSync(join(context, ".dockerignore"), `${ignored}!node_modules\n`);
  const dockerfile = readFileSync(join(project, "Dockerfile"), "utf8");
  const install = "npm ci --omit=dev --ignore-scripts && npm cache clean --force";
  expect(dockerfile).toContain(install);
  writeFileSync(
    join(context, "Dockerfile"),
    dockerfile.replace(`RUN ${install}`, "COPY node_modules ./node_modules\nRUN true"),
  );
  await build(context, "room137:test");
}

async function build(folder: string, tag: string): Promise<void> {
  const args = ["-H", `unix://${lab.dockerSocket}`, "build", "--quiet", "--network", "none", "--tag", tag, folder];
  const { code, stderr } = await attempt("docker", args, { env: { DOCKER_BUILDKIT: "0" } });
  if (code !== 0) throw new Error(`building ${tag}: ${stderr}`);
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}

/** What `npm ci --omit=dev` leaves, by the lock file. */
function productionPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== "" && entry.dev !== true && installed(path))
    .map(([path]) => path);
}

function installed(path: string): boolean {
  try {
    return readFileSync(join(project, path, "package.json")).length > 0;
  } catch {
    return false;
  }
}

/** A package's own node_modules are packages of their own. */
function nested(path: string, from: string): boolean {
  return from.slice(join(project, path).length).includes("/node_modules");
}

describe("the image", () => {
  it("starts without a writable root or any right, is healthy, keeps its data, and stops orderly on TERM", async () => {
    for (const round of ["first", "second"]) {
      const id = (await lab.docker("run", "--detach", "--name", round, ...hardened, ...local, "room137:test")).trim();
      const health = async () => (await lab.docker("inspect", "--format", "{{.State.Health.Status}}", id)).trim();
      expect(await eventually(async () => (await health()) === "healthy", 60_000), await logs(id)).toBe(true);
      const asked = "fetch('http://127.0.0.1:1370/readyz').then((r) => r.text()).then(console.log)";
      expect(await lab.docker("exec", id, "node", "-e", asked)).toContain("slack connected\nstore writable");
      expect((await lab.docker("exec", id, "sh", "-c", "id -u; touch /app/x 2>&1; ls /data")).trim()).toMatch(
        /^65532\ntouch: .*Read-only file system\nroom137\.db/,
      );
      const before = performance.now();
      await lab.docker("stop", "--time", "20", id);
      expect(performance.now() - before).toBeLessThan(15_000);
      expect((await lab.docker("inspect", "--format", "{{.State.ExitCode}}", id)).trim(), await logs(id)).toBe("0");
      expect(await logs(id)).toContain('"msg":"stopping"');
    }
  });

  it("is the command line too, and replays the drill", async () => {
    const lint = "services:\n  db:\n    image: postgres:17\n    mem_limit: 256m\n";
    const shell = `printf '${lint.replaceAll("\n", "\\n")}' > /tmp/c.yaml; room137 lint /tmp/c.yaml; echo exit $?`;
    const said = await lab.docker("run", "--rm", ...hardened, "--entrypoint", "sh", "room137:test", "-c", shell);
    expect(said).toContain("exit 1");
    const drill = (await lab.docker("run", "--detach", ...hardened, ...local, "room137:test", "drill")).trim();
    expect(await eventually(async () => (await logs(drill)).includes("open http://127.0.0.1:1370"), 30_000)).toBe(true);
    expect(await logs(drill)).toContain("Replay of a recorded lab");
    await lab.docker("stop", drill);
  });
});

async function logs(id: string): Promise<string> {
  const { stdout, stderr } = await attempt("docker", ["-H", `unix://${lab.dockerSocket}`, "logs", id]);
  return stdout + stderr;
}
