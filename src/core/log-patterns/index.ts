import type { LogPattern } from "../log-signals.ts";
import { postgresClientPatterns } from "./postgres-clients.ts";

/** All known wordings. First match of a kind wins, so the more specific pattern stands first. */
export const logPatterns: readonly LogPattern[] = [...postgresClientPatterns];
