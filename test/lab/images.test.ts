import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { ensurePrograms, programPath } from "./apt.ts";
import { imageRoot } from "./image-root.ts";
import { LAB_IMAGE } from "./images.ts";
import { type Lab, startLab } from "./lab.ts";
import { eventually, type ProcessId, run, startDaemon, terminate } from "./processes.ts";

let lab: Lab;
let registry: { process: ProcessId; address: string };
const folder = mkdtempSync(join(tmpdir(), "room137-registry-"));

beforeAll(async () => {
  lab = await startLab({ name: "images", engine: "private" });
  registry = await startRegistry(folder);
});
afterAll(async () => {
  if (registry !== undefined) await terminate([registry.process]);
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => vi.unstubAllEnvs());

it("comes from a registry that answers, with the packages installed on its base", async () => {
  const base = `${registry.address}/base:latest`;
  await lab.docker("tag", LAB_IMAGE, base);
  await lab.docker("push", "--quiet", base);
  await lab.docker("rmi", base);
  const { root, told } = await rootFrom(base);
  expect(told).toEqual([`building the image root from ${base} (about a minute, once)`]);
  const entries = await run("tar", ["-tf", root, "./opt/lab/", "./usr/lib/postgresql/", "./usr/sbin/nginx"]);
  expect(entries).toContain("./opt/lab/service.py");
  // The second time there is nothing to pull, and nothing to say.
  expect(await rootFrom(base)).toEqual({ root, told: [] });
});

it("comes from debootstrap where the registry has no such base, and says so", async () => {
  const { told } = await rootFrom(`${registry.address}/nobody/has-this:latest`);
  expect(told[0]).toMatch(/^no base image from a registry: docker .*(not found|manifest unknown)/s);
  expect(told[1]).toBe("building the image root with debootstrap (about a minute, once)");
});

async function rootFrom(base: string): Promise<{ root: string; told: string[] }> {
  vi.stubEnv("ROOM137_LAB_BASE", base);
  vi.stubEnv("ROOM137_LAB_CACHE", join(folder, "cache"));
  const told: string[] = [];
  return { root: await imageRoot(lab.dockerSocket, (line) => told.push(line)), told };
}

/** Docker's own registry on a free loopback port; engines take a loopback registry without TLS. */
async function startRegistry(dir: string): Promise<typeof registry> {
  await ensurePrograms({ "docker-registry": "docker-registry" }, () => {});
  const address = `127.0.0.1:${await freePort()}`;
  const file = join(dir, "registry.json");
  // The file is YAML, which every JSON text is too.
  const storage = { filesystem: { rootdirectory: join(dir, "registry") } };
  writeFileSync(file, JSON.stringify({ version: "0.1", storage, http: { addr: address } }));
  const program = programPath("docker-registry") ?? "docker-registry";
  const started = startDaemon("registry", program, ["serve", file], join(dir, "registry.log"));
  const answers = () =>
    fetch(`http://${address}/v2/`).then(
      (answer) => answer.ok,
      () => false,
    );
  if (!(await eventually(answers, 10_000))) throw new Error("the registry did not answer");
  return { process: started, address };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
