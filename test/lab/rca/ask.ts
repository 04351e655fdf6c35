import type { Question } from "../../../src/core/next-reads.ts";
import { createHostDirectory } from "../../../src/hosts/directory.ts";
import { type Investigation, investigate } from "../../../src/room/investigate.ts";
import { executeReads } from "../../../src/sources/gather.ts";
import { createRedactor } from "../../../src/sources/redact.ts";
import type { Lab } from "../lab.ts";
import type { Truth } from "./card.ts";

const clock = { nowMs: () => Date.now() };

/** Asks the lab's engine as a person would ask, over SSH, with nothing remembered from before. */
export async function askLab(lab: Lab, truth: Truth): Promise<Investigation> {
  const { host: address, port, user, identityFile, hostKey } = lab.ssh;
  const common = {
    dockerSocket: lab.dockerSocket,
    remediateDockerSocket: null,
    kernelLog: "auto" as const,
    labels: {},
  };
  const ssh = {
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
  const hosts = createHostDirectory({ hosts: [{ name: "prod-1", ...common, ...ssh }], clock });
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
    hosts: ["prod-1"],
    settings: { hosts: [{ name: "prod-1", address }], services },
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
