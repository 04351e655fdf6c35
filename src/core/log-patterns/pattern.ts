import type { LogPattern, SignalKind, Technology } from "../log-signals.ts";

/** One wording in one line. Hints are lower case; at least one must occur before the expression is tried. */
export function wording(
  name: string,
  kind: SignalKind,
  technology: Technology | null,
  hints: string | readonly string[],
  match: RegExp,
  source: string,
): LogPattern {
  return { name, kind, technology, hints: typeof hints === "string" ? [hints] : hints, match, source };
}
