import type { HostConfig } from "../config/hosts.ts";
import { Fault } from "../core/result.ts";
import type { Clock, HostDirectory } from "../ports.ts";
import { checkHost, type HostCheck } from "./doctor.ts";
import { openHost } from "./reader.ts";

/** The directory, and what the commands that add, check and remove hosts need of it. */
export interface ManagedHosts extends HostDirectory {
  config(name: string): HostConfig | null;
  /** Adds a host, or replaces the one of that name and closes its connection. */
  put(config: HostConfig): Promise<void>;
  remove(name: string): Promise<void>;
  check(name: string): Promise<HostCheck[]>;
}

/** Every configured host, connected on first use and kept. */
export function createHostDirectory(deps: { hosts: readonly HostConfig[]; clock: Clock }): ManagedHosts {
  const { clock } = deps;
  const hosts = new Map(deps.hosts.map((config) => [config.name, openHost(config, clock)]));
  const known = (name: string) => {
    const host = hosts.get(name);
    if (!host) throw new Fault("host-unreachable", `there is no host called ${name}`, "see /hosts list");
    return host;
  };
  const remove = async (name: string) => {
    const host = hosts.get(name);
    hosts.delete(name);
    await host?.close();
  };
  return {
    names: () => [...hosts.keys()],
    labels: (name) => known(name).config.labels,
    async reader(name) {
      const host = known(name);
      host.connectMs = await host.link.connect();
      return host.reader;
    },
    lastConnectMs: (name) => known(name).connectMs,
    async close() {
      await Promise.all([...hosts.values()].map((host) => host.close()));
    },
    config: (name) => hosts.get(name)?.config ?? null,
    async put(config) {
      await remove(config.name);
      hosts.set(config.name, openHost(config, clock));
    },
    remove,
    check: async (name) => checkHost(known(name).config, clock),
  };
}
