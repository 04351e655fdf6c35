import type { LogPattern } from "../log-signals.ts";
import { dependencyPatterns } from "./dependencies.ts";
import { httpCallerPatterns } from "./http-callers.ts";
import { limitAndSwitchPatterns } from "./limits-and-switches.ts";
import { namePatterns } from "./names.ts";
import { otherStorePatterns } from "./other-stores.ts";
import { ownFailurePatterns } from "./own-failures.ts";
import { plainWordPatterns } from "./plain-words.ts";
import { postgresClientPatterns } from "./postgres-clients.ts";
import { proxyPatterns } from "./proxies.ts";
import { runtimePatterns } from "./runtimes.ts";
import { serverPatterns } from "./servers.ts";
import { tlsPatterns } from "./tls.ts";

/** All known wordings. First match of a kind wins within a line, so the more specific pattern stands first. */
export const logPatterns: readonly LogPattern[] = [
  ...serverPatterns,
  ...postgresClientPatterns,
  ...otherStorePatterns,
  ...proxyPatterns,
  ...namePatterns,
  ...runtimePatterns,
  ...tlsPatterns,
  ...httpCallerPatterns,
  ...dependencyPatterns,
  ...ownFailurePatterns,
  ...limitAndSwitchPatterns,
  ...plainWordPatterns,
];
