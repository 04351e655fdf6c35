import type { Question } from "../../../src/core/next-reads.ts";
import { createHostDirectory } from "../../../src/hosts/directory.ts";
import { type Investigation, investigate } from "../../../src/room/investigate.ts";
import { executeReads } from "../../../src/sources/gather.ts";
import { createRedactor } from "../../../src/sources/redact.ts";
import type { Lab } from "../lab.ts";
import type { Truth } from "./card.ts";

const clock = { nowMs: () => Date.now() };

/** Asks the lab's engine as a person would ask, over SSH, with nothing remembered from before. */
export async function askLab(labs: readonly Lab[], truth: Omit<Truth, "shows" | "undo">): Promise<Investigation> {
  const names = labs.map((_, at) => `prod-${at + 1}`);
  const addresses = await Promise.all(labs.map((lab) => (labs.length === 1 ? lab.ssh.host : outsideAddress(lab))));
  const common = {
    remediateDockerSocket: null,
    kernelLog: "auto" as const,
    labels: {},
  };
  const hosts = createHostDirectory({
    hosts: labs.map((lab, at) => ({
      name: names[at] as string,
      dockerSocket: lab.dockerSocket,
      ...common,
      ...loginOf(lab),
    })),
    clock,
  });
  const services =
    truth.probes === undefined
      ? []
      : [
          {
            name: truth.service,
            hosts: [],
            container: null,
            port: truth.port ?? 8000,
            probes: truth.probes,
            dependsOn: [],
          },
        ];
  const question: Question = {
    target: { service: truth.service, symptom: truth.symptom ?? "http-500", host: null },
    hosts: names,
    settings: { hosts: names.map((name, at) => ({ name, address: addresses[at] ?? null })), services },
    nowMs: clock.nowMs(),
  };
  try {
    const redactor = createRedactor({ patterns: [] });
    return await investigate(
      {
        hosts,
        clock,
        executeReads: (reads, readers) =>
          executeReads(reads, { reader: async (name) => readerOf(readers, name) }, { clock, redactor }),
      },
      question,
    );
  } finally {
    await hosts.close();
  }
}

function readerOf<T>(readers: ReadonlyMap<string, T>, name: string): T {
  const reader = readers.get(name);
  if (reader === undefined) throw new Error(`no reader for ${name}`);
  return reader;
}

function loginOf(lab: Lab) {
  const { host: address, port, user, identityFile, hostKey } = lab.ssh;
  return {
    local: false as const,
    address,
    alias: null,
    port,
    user,
    identityFile,
    agentSocket: null,
    remediateIdentityFile: null,
    remediateUser: null,
    hostKey,
    knownHostsFile: null,
  };
}

/** Where the other host's containers reach this one: what a configuration would name as its address. */
export async function outsideAddress(lab: Lab): Promise<string> {
  return (await lab.docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")).trim();
}
