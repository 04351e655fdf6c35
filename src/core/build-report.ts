import type { Diagnosis } from "./diagnosis.ts";
import type { Fact } from "./evidence.ts";
import type { RemediationPlan } from "./plan.ts";
import type { DiagnosisReport, EvidenceItem } from "./report.ts";

/**
 * The diagnosis in the contract's form. Every sentence told as fact cites evidence; one without a fact, or with a
 * number that no cited fact holds, is not told.
 */
export function buildReport(
  diagnosis: Diagnosis,
  plan: RemediationPlan | null,
  timings: DiagnosisReport["timings"],
  /** Facts that are shown beside the sentences, such as those of a chart. */
  shown: readonly Fact[] = [],
): DiagnosisReport {
  const ledger = createLedger();
  const told = toldSentences(diagnosis, ledger);
  ledger.cite(diagnosis.symptomFacts);
  ledger.cite(shown);
  return {
    schemaVersion: 1,
    service: diagnosis.target.service,
    symptom: diagnosis.target.symptom,
    verdict: diagnosis.verdict,
    ...told,
    gaps: diagnosis.gaps.map(({ source, host, reason, weakens, fix }) => ({
      source,
      host,
      reason: fix === null ? reason : `${reason} (${fix})`,
      weakens,
    })),
    evidence: ledger.items(),
    plan: plan === null ? null : planOf(plan),
    advice: [...new Set([...nearNamesAdvice(diagnosis), ...diagnosis.advice])],
    timings,
  };
}

type Told = Pick<DiagnosisReport, "rootCause" | "chain" | "suspects" | "contributingFactors" | "ruledOut">;

/** Everything that is told as fact, in the order in which a reader meets it: that is the order evidence is numbered in. */
function toldSentences(diagnosis: Diagnosis, { cite }: Pick<Ledger, "cite">): Told {
  const root = diagnosis.rootCause;
  const place = ({ container, host }: { container: string | null; host: string }) => container ?? host;
  return {
    rootCause:
      root === null
        ? null
        : {
            cause: root.cause,
            host: root.host,
            container: root.container,
            confidence: root.confidence,
            summary: provenSentence(root.summary, root.facts, `${place(root)}: ${root.cause}`),
            citations: cite(root.facts),
          },
    chain: diagnosis.chain.map(({ from, to, proof, facts }) => ({ from, to, proof, citations: cite(facts) })),
    suspects: diagnosis.suspects.map((suspect) => ({
      host: suspect.host,
      container: suspect.container,
      cause: suspect.cause,
      summary: provenSentence(suspect.summary, suspect.facts, `${place(suspect)} is a candidate`),
      citations: cite(suspect.facts),
      wouldDecide: suspect.wouldDecide,
    })),
    contributingFactors: diagnosis.contributingFactors.map((finding) => ({
      cause: finding.cause,
      host: finding.host,
      container: finding.container,
      summary: provenSentence(finding.summary, finding.facts, `${place(finding)}: ${finding.cause}`),
      citations: cite(finding.facts),
    })),
    ruledOut: diagnosis.ruledOut.map((finding) => ({
      cause: finding.cause,
      container: finding.container,
      summary: provenSentence(finding.summary, finding.facts, `${place(finding)}: not ${finding.cause}`),
      citations: cite(finding.facts),
    })),
  };
}

function planOf(plan: RemediationPlan): DiagnosisReport["plan"] {
  return {
    hash: plan.hash,
    steps: plan.steps.map((step) => step.action),
    verification: plan.verification,
    undo: plan.undo,
  };
}

/** The report has no place of its own for them: an unknown name is answered with those that are near, and where. */
function nearNamesAdvice({ nearNames }: Diagnosis): string[] {
  if (nearNames.length === 0) return [];
  return [`Names that can be asked about: ${nearNames.map(({ name, host }) => `${name} on ${host}`).join(", ")}.`];
}

interface Ledger {
  cite(facts: readonly Fact[]): string[];
  items(): EvidenceItem[];
}

/** Gives facts their numbers, `e1`, `e2`, … in order of first use; the same fact keeps its number. */
function createLedger(): Ledger {
  const items: EvidenceItem[] = [];
  const ids = new Map<string, string>();
  const citeOne = (fact: Fact): string => {
    const { host, source, read, atMs } = fact.reading;
    const key = JSON.stringify([host, source, read, fact.container, fact.text]);
    const known = ids.get(key);
    if (known !== undefined) return known;
    const id = `e${items.length + 1}`;
    ids.set(key, id);
    items.push({
      id,
      host,
      container: fact.container,
      source,
      read,
      at: new Date(atMs).toISOString(),
      text: fact.text,
    });
    return id;
  };
  return {
    cite: (facts) => [...new Set(facts.map(citeOne))],
    items: () => items,
  };
}

/** The numbers that facts have in a report. */
export function citationsOf({ evidence }: Pick<DiagnosisReport, "evidence">, facts: readonly Fact[]): string[] {
  return evidence
    .filter((item) =>
      facts.some(
        ({ reading, container, text }) =>
          reading.host === item.host &&
          reading.source === item.source &&
          reading.read === item.read &&
          container === item.container &&
          text === item.text,
      ),
    )
    .map(({ id }) => id);
}

/** The sentence when each number in it stands in a cited fact; otherwise the plain words that need no number. */
export function provenSentence(sentence: string, facts: readonly Fact[], plain: string): string {
  return unprovenNumbers(sentence, facts).length === 0 ? sentence : plain;
}

/** Numbers of a sentence that no fact holds. A number inside a name (`web2`, `10.0.0.5`) belongs to the name. */
export function unprovenNumbers(sentence: string, facts: readonly Fact[]): string[] {
  const proven = new Set(
    facts.flatMap((fact) => factNumbers(`${fact.text} ${fact.container ?? ""} ${fact.reading.host}`)),
  );
  return numbersIn(sentence).filter((number) => !proven.has(number));
}

/** A fact that holds `10.0.0.5:8080` proves the address alone and the port alone too. */
function factNumbers(text: string): string[] {
  return numbersIn(text).flatMap((number) => {
    const place = /^((?:\d{1,3}\.){3}\d{1,3}):(\d{1,5})$/.exec(number);
    return place === null ? [number] : [...place];
  });
}

function numbersIn(text: string): string[] {
  return [...text.matchAll(/\d+(?:[.,:]\d+)*/g)].map((match) => match[0].replaceAll(",", ""));
}
