import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programPath } from "./apt.ts";
import { ENGINE_PROBE_TIMEOUT_MS, ENGINE_START_TIMEOUT_MS, SLOTS } from "./limits.ts";
import { withLock } from "./locks.ts";
import { attempt, eventually, isAlive, type ProcessId, run, startDaemon } from "./processes.ts";

/** The Unix socket of an engine that already answers on this machine, or null. */
export async function engineThatIsThere(): Promise<string | null> {
  const host = process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
  if (!host.startsWith("unix://")) return null;
  const socket = host.slice("unix://".length);
  return existsSync(socket) && (await answers(socket)) ? socket : null;
}

export async function answers(socket: string): Promise<boolean> {
  const args = ["-H", `unix://${socket}`, "version", "--format", "{{.Server.Version}}"];
  return (await attempt("docker", args, { timeoutMs: ENGINE_PROBE_TIMEOUT_MS })).code === 0;
}

export interface Subnet {
  bridge: string;
  /** Every network of this lab lies in here: its default bridge and those its containers get. */
  range: string;
  prefix: string;
}

/**
 * Takes the first address range no interface of this machine uses. The bridge with its address is the reservation: it
 * is made under a machine-wide lock, so two labs starting at once cannot choose the same range.
 */
export async function reserveSubnet(lockFile: string): Promise<Subnet> {
  return withLock(lockFile, async () => {
    const used = (await run("ip", ["-o", "-4", "addr", "show"])) + (await run("ip", ["-4", "route", "show"]));
    for (let slot = 0; slot < SLOTS; slot++) {
      const subnet = subnetOf(slot);
      if (overlaps(used, slot)) continue;
      await run("ip", ["link", "add", "name", subnet.bridge, "type", "bridge"]);
      await run("ip", ["addr", "add", `10.213.${slot * 8}.1/27`, "dev", subnet.bridge]);
      await run("ip", ["link", "set", subnet.bridge, "up"]);
      return subnet;
    }
    throw new Error(`all ${SLOTS} address ranges of the lab are in use; take a lab down first`);
  });
}

function subnetOf(slot: number): Subnet {
  return {
    bridge: `r137lab${slot}`,
    range: `10.213.${slot * 8}.0/21`,
    prefix: `10.213.${slot * 8}.`,
  };
}

function overlaps(used: string, slot: number): boolean {
  const thirds = [...used.matchAll(/\b10\.213\.(\d+)\.\d+/g)].map((match) => Number(match[1]));
  return (
    thirds.some((third) => third >= slot * 8 && third < slot * 8 + 8) || new RegExp(`\\br137lab${slot}\\b`).test(used)
  );
}

/** True for an IPv4 address inside the subnet's /21. */
export function isInside(subnet: Subnet, address: string): boolean {
  const [a, b, third] = address.split(".").map(Number);
  const first = Number(subnet.prefix.split(".")[2]);
  return a === 10 && b === 213 && third !== undefined && third >= first && third < first + 8;
}

/**
 * Starts containerd and dockerd with everything of their own: data, state, sockets, bridge, address pool. dockerd would
 * use a containerd of the system if one is running, therefore the lab starts its own. All paths must be absolute:
 * dockerd 20.10 spins for ever on a relative data root.
 */
export async function startEngine(
  dir: string,
  subnet: Subnet,
  started: (id: ProcessId) => void,
): Promise<{ dockerSocket: string }> {
  const dockerSocket = join(dir, "docker.sock");
  mkdirSync(join(dir, "engine"), { recursive: true });
  const nameserver = join(import.meta.dirname, "nameserver.ts");
  started(startDaemon("nameserver", process.execPath, [nameserver, `${subnet.prefix}1`], join(dir, "nameserver.log")));
  const containerd = startContainerd(dir);
  started(containerd);
  await untilUp(containerd, join(dir, "containerd.log"), async () => existsSync(join(dir, "containerd.sock")));
  const dockerd = startDockerd(dir, subnet, dockerSocket);
  started(dockerd);
  await untilUp(dockerd, join(dir, "dockerd.log"), () => answers(dockerSocket));
  return { dockerSocket };
}

function startContainerd(dir: string): ProcessId {
  const config = join(dir, "containerd.toml");
  const lines = [
    "version = 2",
    `root = "${dir}/engine/containerd"`,
    `state = "${dir}/run/containerd"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    "[grpc]",
    `address = "${dir}/containerd.sock"`,
  ];
  writeFileSync(config, `${lines.join("\n")}\n`);
  return startDaemon(
    "containerd",
    programPath("containerd") ?? "containerd",
    ["--config", config],
    join(dir, "containerd.log"),
  );
}

function startDockerd(dir: string, subnet: Subnet, dockerSocket: string): ProcessId {
  const config = join(dir, "dockerd.json");
  // An own, empty configuration, or dockerd would read the one in /etc.
  writeFileSync(config, "{}\n");
  const args = [
    `--config-file=${config}`,
    `--data-root=${dir}/engine/docker`,
    `--exec-root=${dir}/run/docker`,
    `--pidfile=${dir}/dockerd.pid`,
    `--host=unix://${dockerSocket}`,
    `--containerd=${dir}/containerd.sock`,
    "--iptables=false",
    "--ip6tables=false",
    "--ip-masq=false",
    "--ip-forward=false",
    `--bridge=${subnet.bridge}`,
    `--dns=${subnet.prefix}1`,
    "--default-address-pool",
    `base=${subnet.range},size=27`,
  ];
  return startDaemon("dockerd", programPath("dockerd") ?? "dockerd", args, join(dir, "dockerd.log"));
}

async function untilUp(daemon: ProcessId, log: string, isUp: () => Promise<boolean>): Promise<void> {
  await eventually(async () => !isAlive(daemon) || (await isUp()), ENGINE_START_TIMEOUT_MS);
  if (isAlive(daemon) && (await isUp())) return;
  const tail = (await attempt("tail", ["-n", "5", log])).stdout.trim();
  throw new Error(
    `${daemon.what} ${isAlive(daemon) ? "did not answer in time" : "ended at once"}; its log ends with:\n${tail}`,
  );
}
