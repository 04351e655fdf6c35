import { describe, expect, it } from "vitest";
import { readSignals } from "../../src/core/log-signals.ts";

const said = (text: string) =>
  readSignals([{ text, atMs: null, stream: "stdout" }]).map(
    ({ kind, peerHost, peerPort }) => `${kind} ${peerHost ?? "-"}:${peerPort ?? "-"}`,
  );

describe("what shell tools, errno texts and other languages say", () => {
  it.each([
    ["nc: connect to db port 5432 (tcp) failed: Connection refused", "peer-refused db:5432"],
    ["wget: can't connect to remote host (172.18.0.2): Connection refused", "peer-refused 172.18.0.2:-"],
    ["bash: /dev/tcp/db/5432: Connection refused", "peer-refused db:5432"],
    ["socat[12] E connect(5, AF=2 172.18.0.3:6379, 16): No route to host", "peer-unreachable 172.18.0.3:6379"],
    [
      'socat[12] E getaddrinfo("db", "NULL", {1,2,1,6}, {}): Temporary failure in name resolution',
      "peer-name-unknown db:-",
    ],
    ["curl: (7) Failed to connect to api port 8000 after 1 ms: Couldn't connect to server", "peer-refused api:8000"],
    ["cannot talk to 10.0.0.5:7000 - at app.pl line 42.", "peer-unreachable 10.0.0.5:7000"],
    ['level=error task=sync err="timed out"', "peer-timeout -:-"],
    ["Unable to connect to cache/<unresolved>:6379", "peer-name-unknown cache:6379"],
    ["Verbindung zu lager:8080 abgelehnt", "peer-refused lager:8080"],
    ["connexion refusée par db:5432", "peer-refused db:5432"],
    ["FEHLER: Spalte »rabatt« existiert nicht", "peer-schema-mismatch -:-"],
    ["ERREUR:  la colonne « remise » n'existe pas", "peer-schema-mismatch -:-"],
    ["You can't write against a read only replica.", "peer-read-only -:-"],
    [
      "Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled",
      "peer-misconf -:-",
    ],
    ["Timeout reading from socket", "peer-timeout -:-"],
    ['Can\'t call method "connect" on an undefined value at -e line 1.', "uncaught-exception -:-"],
  ])("%s", (line, signal) => {
    expect(said(line)).toContain(signal);
  });

  it.each([
    "request timeout is 30 s",
    "failed to connect to db:5432: password authentication failed",
    "sleep 300",
    "the session has timed out for user 7",
    "connected to db:5432",
  ])("says nothing of a peer that is away: %s", (line) => {
    expect(said(line).filter((signal) => /peer-(?:refused|timeout|unreachable|name-unknown)/.test(signal))).toEqual([]);
  });
});
