import type { LogPattern } from "../log-signals.ts";

/** All known wordings. First match of a kind wins, so the more specific pattern stands first. */
export const logPatterns: readonly LogPattern[] = [];
