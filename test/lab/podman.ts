import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installPackages, programPath } from "./apt.ts";
import { imageRoot } from "./image-root.ts";
import { LAB_IMAGE } from "./images.ts";
import { getHere, type Lab, labDir } from "./lab.ts";
import { ENGINE_START_TIMEOUT_MS, HEALTH_INTERVAL_MS, IMPORT_TIMEOUT_MS } from "./limits.ts";
import { attempt, eventually, familyOf, run, startDaemon, terminate } from "./processes.ts";
import { startSshd } from "./sshd.ts";

const APPS = join(import.meta.dirname, "apps");

/** A lab on a private Podman behind its Docker-compatible socket, with everything of its own below the lab's folder. */
export async function startPodmanLab(log: (line: string) => void): Promise<Lab> {
  // Its parts lie outside of every search path.
  if (!existsSync("/usr/lib/podman/aardvark-dns")) await installPackages(["podman", "netavark", "aardvark-dns"], log);
  const dir = labDir("podman");
  await attempt("umount", ["--lazy", join(dir, "root/overlay")]);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const socket = join(dir, "podman.sock");
  // A service without systemd can neither raise limits nor use its journal or its timers.
  const settings = ["[containers]", 'default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]'];
  writeFileSync(join(dir, "containers.conf"), `${settings.join("\n")}\n`);
  const own = ["--root", join(dir, "root"), "--runroot", join(dir, "run"), "--network-config-dir", join(dir, "net")];
  const flags = [...own, "--cgroup-manager", "cgroupfs", "--events-backend", "file"];
  const env = { CONTAINERS_CONF: join(dir, "containers.conf") };
  const podman = (...args: string[]) => run("podman", [...flags, ...args], { timeoutMs: IMPORT_TIMEOUT_MS, env });
  const command = [`CONTAINERS_CONF=${env.CONTAINERS_CONF}`, programPath("podman") ?? "podman", ...flags];
  const service = startDaemon(
    "podman",
    "env",
    [...command, "system", "service", "--time", "0", `unix://${socket}`],
    join(dir, "podman.log"),
  );
  const docker = (...args: string[]) => run("docker", ["-H", `unix://${socket}`, ...args]);
  const answers = async () => (await attempt("docker", ["-H", `unix://${socket}`, "version"])).code === 0;
  if (!(await eventually(answers, ENGINE_START_TIMEOUT_MS))) throw new Error(`podman did not start; see ${dir}`);
  log("importing the image");
  await importImage(podman, await imageRoot(socket, log));
  const sshd = await startSshd(dir, "sshd", {}, () => Promise.reject(new Error("root only")));
  const checks = setInterval(() => void podman("healthcheck", "run", "batch").catch(() => {}), HEALTH_INTERVAL_MS);
  const oneSshd = () => Promise.reject(new Error("this lab has one sshd"));
  return {
    ...{ name: "podman", dir, dockerSocket: socket, ssh: sshd, docker, startSshd: oneSshd, stopSshd: oneSshd },
    host: (file = "", ...args) => run(file, args),
    get: getHere,
    run: async ({ name, args = [], command: words }) =>
      (await docker("run", "--detach", "--name", name, ...args, LAB_IMAGE, ...words)).trim(),
    stop: async () => {
      clearInterval(checks);
      await podman("rm", "--all", "--force", "--time", "0").catch(() => {});
      await terminate(familyOf([service, sshd.process]));
      await attempt("umount", ["--lazy", join(dir, "root/overlay")]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Podman 4.3 cannot commit through its compatible socket, therefore by its own command. */
async function importImage(podman: (...args: string[]) => Promise<string>, root: string): Promise<void> {
  const base = "localhost/room137/base:latest";
  await podman("import", "--quiet", root, base);
  const container = (await podman("create", base, "/bin/true")).trim();
  await podman("cp", `${APPS}/.`, `${container}:/opt/lab`);
  const path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const changes = ["CMD []", path, "ENV PYTHONUNBUFFERED=1"].flatMap((change) => ["--change", change]);
  await podman("commit", "--quiet", ...changes, container, `docker.io/${LAB_IMAGE}`);
  await podman("rm", container);
}
