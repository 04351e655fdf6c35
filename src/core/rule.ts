import type { Cause } from "./causes.ts";
import type { Finding } from "./diagnosis.ts";
import type { SourceName } from "./evidence.ts";
import type { ContainerView, HostView, World } from "./world.ts";

/**
 * One question about one container (or one host), answered from evidence alone. A rule owns causes that exclude each
 * other, so that telling them apart stands in one place. It is silent while what it needs is missing.
 */
export interface Rule {
  /** The file's name, and its section in docs/rules.md. */
  name: string;
  causes: readonly Cause[];
  /** Without these the rule stays silent; they are named as gaps that weaken the answer. */
  needs: readonly SourceName[];
  evaluate?(world: World, view: ContainerView): Finding[];
  evaluateHost?(world: World, host: HostView): Finding[];
}

/** Weights by what stands behind a finding, so that rules written apart rank alike. */
export const weight = {
  /** State of the engine or the kernel shows the fault itself, and it explains what its callers see. */
  proven: 95,
  /** State shows it; the finer reason among its kind rests on one source. */
  strong: 85,
  /** The container's own log says so in a known wording and state agrees. */
  told: 75,
  /** Only a log line says so. */
  hinted: 60,
  /** Worth telling, too weak to accuse. */
  weak: 35,
} as const;

type Draft = Pick<Finding, "cause" | "summary" | "facts" | "witnesses" | "weight"> & Partial<Finding>;

/** A fault at this container, with defaults. */
export function faultAt(view: ContainerView, draft: Draft): Finding {
  return {
    host: view.host,
    container: view.name,
    containerId: view.id,
    onsetMs: null,
    kind: "fault",
    advice: [],
    ...draft,
  };
}

/** A fault of the host itself, or of something outside Docker on it. */
export function hostFault(host: string, draft: Draft): Finding {
  return {
    host,
    container: null,
    containerId: null,
    onsetMs: null,
    kind: "fault",
    advice: [],
    ...draft,
  };
}

/** `268435456` as `256 MiB (268435456 bytes)`: both forms stand in the fact, so a sentence may use either. */
export function bytesText(bytes: number): string {
  return `${humanBytes(bytes)} (${bytes} bytes)`;
}

export function humanBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
