import type { HostAction } from "./actions.ts";
import type { Cause } from "./causes.ts";
import type { Confidence, EdgeProof, Symptom, Verdict } from "./diagnosis.ts";
import type { SourceName } from "./evidence.ts";

/** The diagnosis as the contract's JSON (section 5), key for key. What `--json` prints and what the timeline keeps. */
export interface DiagnosisReport {
  schemaVersion: 1;
  service: string;
  symptom: Symptom;
  verdict: Verdict;
  rootCause: {
    cause: Cause;
    host: string;
    container: string | null;
    confidence: Confidence;
    summary: string;
    citations: string[];
  } | null;
  chain: { from: string; to: string; proof: EdgeProof; citations: string[] }[];
  suspects: {
    host: string;
    container: string | null;
    cause: Cause | null;
    summary: string;
    citations: string[];
    wouldDecide: string;
  }[];
  contributingFactors: {
    cause: Cause;
    host: string;
    container: string | null;
    summary: string;
    citations: string[];
  }[];
  ruledOut: {
    cause: Cause;
    container: string | null;
    summary: string;
    citations: string[];
  }[];
  gaps: { source: string; host: string; reason: string; weakens: string }[];
  evidence: EvidenceItem[];
  plan: {
    hash: string;
    steps: HostAction[];
    verification: string[];
    undo: HostAction[];
  } | null;
  advice: string[];
  timings: {
    totalMs: number;
    connectMs: number;
    gatherMs: number;
    diagnoseMs: number;
  };
}

export interface EvidenceItem {
  /** `e1`, `e2`, … in order of first use. */
  id: string;
  host: string;
  container: string | null;
  source: SourceName;
  read: string;
  /** ISO 8601, UTC, our clock. */
  at: string;
  text: string;
}
