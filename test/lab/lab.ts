import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ensurePackages, missingPackages, release } from "./apt.ts";
import { engineThatIsThere, reserveSubnet, startEngine } from "./engine.ts";
import { ensureImage, LAB_IMAGE } from "./images.ts";
import { DIR_PATH_BYTES } from "./limits.ts";
import { withLock } from "./locks.ts";
import { familyOf, isAlive, ourselves, run, terminate } from "./processes.ts";
import { addUnprivilegedUser, type SshdOptions, type SshLogin, startSshd } from "./sshd.ts";
import { type LabState, readState, writeState } from "./state.ts";
import { takeDown } from "./takedown.ts";

export interface LabOptions {
  /** Small letters, digits and dashes, at most 20. Labs of different names can be up at once. */
  name: string;
  dir?: string;
  log?: (line: string) => void;
  /** "auto" uses the engine that answers on this machine and starts a private one otherwise. */
  engine?: "auto" | "private";
  /** Leaves the lab up when this process ends; `stop()` or the command `down` takes it down. */
  detach?: boolean;
  /** Leaves the folder with its logs after the lab was taken down. */
  keep?: boolean;
}

export interface ContainerOptions {
  name: string;
  /** Further arguments of `docker run`, before the image. */
  args?: readonly string[];
  command: readonly string[];
}

export interface Lab {
  name: string;
  dir: string;
  dockerSocket: string;
  ssh: SshLogin;
  /** Runs the docker command against the lab's engine; resolves to what it printed. */
  docker(...args: string[]): Promise<string>;
  /** Runs a command as root on the machine the engine runs on; resolves to what it printed. */
  host(...command: string[]): Promise<string>;
  /** GET of an address of the engine's networks; null when nothing answers. */
  get(url: string): Promise<{ status: number; body: string } | null>;
  /** Starts a container of the lab's image, labelled as the lab's; resolves to its full id. */
  run(container: ContainerOptions): Promise<string>;
  /** How many times longer than usual everything may take; 1 where it is not said. */
  patience?: number;
  /** Only where the lab is a machine of its own; resolves when its engine answers again. */
  reboot?(how: "orderly" | "hard"): Promise<void>;
  startSshd(options: SshdOptions): Promise<SshLogin>;
  /** Ends one sshd of this lab, as when a host goes away; its sessions end with it. */
  stopSshd(login: SshLogin): Promise<void>;
  /** Takes everything down; a second call finds nothing to do. */
  stop(): Promise<void>;
}

/** Why no lab can be started here and what to do about it, or null if nothing speaks against it. */
export function labUnavailable(): string | null {
  if (process.platform !== "linux") return "the lab needs Linux: run it in a Debian or Ubuntu machine, as root";
  if (release() === null)
    return "the lab builds its image with debootstrap and needs Debian or Ubuntu: run it there, as root";
  if (process.getuid?.() === 0) return null;
  const missing = missingPackages(true);
  const install = missing.length === 0 ? "" : `; it will also install ${missing.join(", ")}`;
  return `the lab starts dockerd and sshd and needs root: run it again with sudo${install}`;
}

/** Not TMPDIR: all labs of a machine must meet here, and socket paths must stay short. */
const LABS = "/tmp/room137-lab";
/** One lock for the machine: held for the moment in which a lab claims its name or its addresses. */
const LABS_LOCK = `${LABS}/lock`;

export function labDir(name: string): string {
  return join(LABS, name);
}

export async function startLab(options: LabOptions): Promise<Lab> {
  const log = options.log ?? (() => {});
  const unavailable = labUnavailable();
  if (unavailable !== null) throw new Error(unavailable);
  const dir = checkedDir(options);
  const state = emptyState(options, dir);
  mkdirSync(LABS, { recursive: true });
  await withLock(LABS_LOCK, async () => {
    await clearRemains(dir, options.name);
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    writeState(state);
  });
  takeDownWithUs(state);
  try {
    await bringUp(state, log, options.engine ?? "auto");
  } catch (error) {
    await takeDown(dir, { keep: options.keep ?? false });
    throw error;
  }
  if (options.detach === true) state.owner = null;
  writeState(state);
  log("the lab is up");
  return labOf(state);
}

/** The lab of that name that is up, started by whatever process. */
export function attachLab(name: string, dir: string = labDir(name)): Lab {
  const state = readState(dir);
  if (state === null || state.ssh === null) throw new Error(`no lab "${name}" is up; start it with: up --name ${name}`);
  return labOf(state);
}

function checkedDir({ name, dir = labDir(name) }: LabOptions): string {
  if (!/^[a-z0-9][a-z0-9-]{0,19}$/.test(name)) {
    throw new Error(`"${name}" is no name for a lab: use small letters, digits and dashes, at most 20`);
  }
  // The path is written into configuration files and socket addresses.
  if (!/^\/[\w./-]+$/.test(dir) || Buffer.byteLength(dir) > DIR_PATH_BYTES) {
    throw new Error(
      `${dir} cannot hold a lab: it must be an absolute path of at most ${DIR_PATH_BYTES} plain characters`,
    );
  }
  return dir;
}

/** A lab of this name whose owner lives is somebody's; one whose owner died is swept away. */
async function clearRemains(dir: string, name: string): Promise<void> {
  if (!existsSync(dir)) return;
  const state = readState(dir);
  const inUse = state !== null && (state.owner === null ? state.processes.some(isAlive) : isAlive(state.owner));
  if (inUse) throw new Error(`the lab "${name}" is already up in ${dir}; take it down first or choose another name`);
  await takeDown(dir, { keep: false });
}

function emptyState(options: LabOptions, dir: string): LabState {
  return {
    name: options.name,
    dir,
    // A lab to be left alone is ours while it comes up, so that a Ctrl-C then leaves nothing half built.
    owner: ourselves(),
    keep: options.keep ?? false,
    privateEngine: false,
    dockerSocket: null,
    subnet: null,
    processes: [],
    users: [],
    sshdCount: 0,
    ssh: null,
  };
}

async function bringUp(state: LabState, log: (line: string) => void, engine: "auto" | "private"): Promise<void> {
  const present = engine === "auto" ? await engineThatIsThere() : null;
  await ensurePackages(present === null, log);
  if (present === null) {
    log("starting a private engine");
    state.privateEngine = true;
    state.subnet = await reserveSubnet(LABS_LOCK);
    writeState(state);
    const started = await startEngine(state.dir, state.subnet, (id) => remember(state, id));
    state.dockerSocket = started.dockerSocket;
  } else {
    log(`using the engine at ${present}`);
    state.dockerSocket = present;
  }
  writeState(state);
  await ensureImage(state.dockerSocket, log);
  const sshd = await oneMoreSshd(state, {});
  state.ssh = sshd;
}

function labOf(state: LabState): Lab {
  const docker = dockerOf(state);
  return {
    name: state.name,
    dir: state.dir,
    dockerSocket: state.dockerSocket as string,
    ssh: state.ssh as SshLogin,
    docker,
    host: (...[file = "", ...args]) => run(file, args),
    get: getHere,
    run: async ({ name, args = [], command }) =>
      (
        await docker("run", "--detach", "--name", name, "--label", labelOf(state.name), ...args, LAB_IMAGE, ...command)
      ).trim(),
    startSshd: (options) => oneMoreSshd(state, options),
    stopSshd: (login) => endSshd(state, login),
    stop: () => takeDown(state.dir, { keep: state.keep }),
  };
}

/** GET from this machine, where the engine's networks are reached directly. */
export async function getHere(url: string): Promise<{ status: number; body: string } | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(4_000), redirect: "manual" });
    return { status: answer.status, body: await answer.text() };
  } catch {
    return null;
  }
}

export function labelOf(name: string): string {
  return `room137.lab=${name}`;
}

function dockerOf(state: LabState): (...args: string[]) => Promise<string> {
  return (...args) => run("docker", ["-H", `unix://${state.dockerSocket}`, ...args]);
}

async function oneMoreSshd(state: LabState, options: SshdOptions): Promise<SshLogin> {
  state.sshdCount++;
  const { process: id, ...login } = await startSshd(state.dir, `sshd-${state.sshdCount}`, options, async () => {
    const user = `r137-${state.name}`;
    if (!state.users.includes(user)) {
      state.users.push(user);
      writeState(state);
      await addUnprivilegedUser(user, state.dir);
    }
    return user;
  });
  remember(state, { ...id, what: `sshd:${login.port}` });
  return login;
}

async function endSshd(state: LabState, login: SshLogin): Promise<void> {
  const id = state.processes.find((one) => one.what === `sshd:${login.port}` && isAlive(one));
  if (id === undefined) return;
  await terminate(familyOf([id]));
}

function remember(state: LabState, id: LabState["processes"][number]): void {
  state.processes.push(id);
  writeState(state);
}

/** Ctrl-C and an ordinary end both take the lab down. After SIGKILL the next start of the same name does. */
function takeDownWithUs(state: LabState): void {
  const isOurs = () => state.owner !== null && readState(state.dir)?.owner?.pid === process.pid;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(signal, () => {
      if (!isOurs()) process.exit(code);
      takeDown(state.dir, { keep: state.keep }).finally(() => process.exit(code));
    });
  }
  // Nothing asynchronous runs any more in an exit handler, so another process does the rest.
  process.once("exit", () => {
    if (!isOurs()) return;
    const cli = join(import.meta.dirname, "cli.ts");
    spawn(process.execPath, [cli, "down", "--name", state.name, "--dir", state.dir], {
      detached: true,
      stdio: "ignore",
    }).unref();
  });
}
