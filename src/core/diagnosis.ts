import type { Cause } from "./causes.ts";
import type { Fact, Gap } from "./evidence.ts";
import type { LogSignal } from "./log-signals.ts";

export type Symptom = "http-500" | "any";

/** What is asked about. */
export interface Target {
  service: string;
  symptom: Symptom;
  /** Limits the search to one host; null searches every host the asker may see. */
  host: string | null;
}

export type Verdict = "root-cause" | "no-fault-found" | "inconclusive" | "not-found";
export type Confidence = "confirmed" | "probable";

/** How it is known that one container needs another. */
export type EdgeProof =
  | "log"
  | "connection"
  | "alias"
  | "address"
  | "env"
  | "label"
  | "proxy-config"
  | "config"
  | "shared-resource";

/** `from` depends on `to`. A `to` outside Docker has containerId null. */
export interface Edge {
  from: ContainerRef;
  to: ContainerRef | { host: null; containerId: null; container: string };
  proof: EdgeProof;
  /** Port on the peer, when the proof names one. */
  port: number | null;
  facts: Fact[];
  /** Log lines of `from` that say this very dependency fails, oldest first; empty when nothing says so. */
  failures: LogSignal[];
}

export interface ContainerRef {
  host: string;
  container: string;
  containerId: string;
}

/** What a rule claims: a cause at a place, the facts that show it, and what it explains. */
export interface Finding {
  cause: Cause;
  host: string;
  /** Name; null for a host-level cause or a culprit outside Docker. */
  container: string | null;
  containerId: string | null;
  /** The container at which the fault shows, when the culprit is another one (a client that holds all connections). */
  shownBy?: ContainerRef;
  /** How the accused is connected to `shownBy`; needed whenever that is set. */
  link?: { proof: EdgeProof; facts: Fact[] };
  /** One sentence for people; every number in it stands in a cited fact. */
  summary: string;
  facts: Fact[];
  /** True for a fault that is over but explains what was reported, such as a kill the restart policy healed. */
  past?: boolean;
  /** Names of independent witnesses (source kinds) that agree: two make it confirmed. */
  witnesses: string[];
  /** When the fault began, host time corrected to ours; null when unknown. */
  onsetMs: number | null;
  /** 0..100: how specific and how well explained. Ranks findings of one container; see docs/rules.md. */
  weight: number;
  /** `fault` can be the root cause; `hazard` is only a contributing factor; `ruled-out` says what it is not. */
  kind: "fault" | "hazard" | "ruled-out";
  /** Sentences of advice a person should act on. */
  advice: string[];
  /** Numbers remediations need, for example peakBytes. */
  measures?: Record<string, number>;
  /** The network it belongs to and the names its callers use there, where the cure is to connect it. */
  network?: { networkId: string | null; networkName: string; aliases: string[] };
  /** Another container that the safe action addresses (start the victim). */
  actOn?: ContainerRef | null;
  /** Containers the same remedy addresses afterwards: a proxy that ended because its upstream was missing. */
  alsoActOn?: ContainerRef[];
}

export interface ChainLink {
  from: string;
  to: string;
  proof: EdgeProof;
  facts: Fact[];
}

export interface Suspect {
  host: string;
  container: string | null;
  cause: Cause | null;
  summary: string;
  facts: Fact[];
  wouldDecide: string;
}

/** What was concluded, before a plan is made and before citations get numbers. Pure data. */
export interface Diagnosis {
  target: Target;
  verdict: Verdict;
  rootCause: (Finding & { confidence: Confidence }) | null;
  chain: ChainLink[];
  suspects: Suspect[];
  contributingFactors: Finding[];
  ruledOut: Finding[];
  gaps: Gap[];
  advice: string[];
  /** Names near the asked one, for `not-found`. */
  nearNames: { name: string; host: string }[];
  /** How the symptom was looked at, for `no-fault-found` and `inconclusive`. */
  symptomFacts: Fact[];
  /** Set when no button may be offered whatever else is true. */
  handsOff: string | null;
}
