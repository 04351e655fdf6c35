import type { LogPattern } from "../log-signals.ts";

/** What clients say of a PostgreSQL server, and what the server says to them. */
export const postgresClientPatterns: readonly LogPattern[] = [
  {
    name: "libpq-refused",
    kind: "peer-refused",
    technology: "postgres",
    hints: ["failed: connection refused"],
    match:
      /connection to server at "(?<host>[^"]{1,255})"(?: \([^)]{1,64}\))?, port (?<port>\d{1,5}) failed: Connection refused/,
    source: "PostgreSQL 14+, fe-connect.c",
  },
  {
    name: "libpq-name-unknown",
    kind: "peer-name-unknown",
    technology: "postgres",
    hints: ["could not translate host name"],
    match: /could not translate host name "(?<host>[^"]{1,255})" to address/,
    source: "PostgreSQL, fe-connect.c",
  },
];
