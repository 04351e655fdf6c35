import type { ActionName } from "../../../src/core/actions.ts";
import type { Cause, Family } from "../../../src/core/causes.ts";
import type { Symptom, Verdict } from "../../../src/core/diagnosis.ts";
import type { Stage } from "./stage.ts";

/**
 * One fault as it is put on the lab and judged. The truth is written down before anything is asked; the symptom
 * predicate must hold before scoring, so that a fault which did not take is an error and never a point.
 */
export interface Card {
  /** Unique, kebab-case; starts with the cause it is about. */
  id: string;
  family: Family;
  /** One line for the table and the docs. */
  about: string;
  /** 2 for cards that play on two hosts, prod-1 and prod-2. */
  hosts?: 2;
  /** Puts the fault on the stage and says what is true. Names, sizes, programs and wordings vary with `stage.random`. */
  inject(stage: Stage): Promise<Truth>;
}

export interface Truth {
  /** The service a person would ask about. */
  service: string;
  symptom?: Symptom;
  verdict: Verdict;
  /** Null unless the verdict is root-cause. Several only where the vocabulary truly allows either. */
  causes: Cause[];
  /** Container name of the culprit; null for a host-level cause. */
  culprit: string | null;
  /** For `inconclusive`: a container that must be among the suspects, when there is one. */
  suspect?: string;
  /** What a plan may contain, and on which containers; anything else is a harmful proposal. */
  allowed: { action: ActionName; container: string }[];
  /** A plan must be offered. */
  planExpected?: boolean;
  /** True once the fault shows; polled before anything is asked. */
  shows(): Promise<boolean>;
  /** Probes a configuration would name for the service. */
  probes?: { path: string; expect: number }[];
  port?: number;
  /** Takes back what the card changed outside the lab's containers. */
  undo?(): Promise<void>;
}

/** What a run leaves behind: enough to ask the same question again without the lab. */
export interface Frozen {
  card: string;
  family: Family;
  variant: number;
  truth: Omit<Truth, "shows" | "undo">;
  question: import("../../../src/core/next-reads.ts").Question;
  readings: import("../../../src/core/evidence.ts").Reading[];
  totalMs: number;
}
