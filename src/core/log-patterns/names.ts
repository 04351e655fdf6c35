import type { LogPattern } from "../log-signals.ts";
import { wording } from "./pattern.ts";

/** More of what programs say when a name does not resolve, in words that a common expression would read wrongly. */
export const namePatterns: readonly LogPattern[] = [
  wording(
    "perl-bad-hostname",
    "peer-name-unknown",
    null,
    "bad hostname",
    /[Bb]ad hostname:? ["'`(]?(?<host>[A-Za-z0-9][A-Za-z0-9._-]{0,254})/,
    "Perl, IO::Socket::INET; HTTP::Tiny",
  ),
  wording(
    "host-not-found",
    "peer-name-unknown",
    null,
    ["host not found: ", "hostname not found: ", "unknown host: ", 'unknown host "', "unknown host '"],
    /(?:host(?:name)? not found|unknown host):? ["'`(]?(?<host>[A-Za-z0-9][A-Za-z0-9._-]{0,254})/i,
    "HOST_NOT_FOUND of netdb.h; ping; Lua, LuaSocket",
  ),
  wording(
    "erlang-nxdomain",
    "peer-name-unknown",
    null,
    "nxdomain",
    /connect \((?<host>[A-Za-z0-9._-]{1,255}):(?<port>\d{1,5})\): non-existing domain|to_address, ?\{["'](?<host2>[A-Za-z0-9._-]{1,255})["'], ?(?<port2>\d{1,5})\}[^\n]{0,120}nxdomain|(?<host3>[A-Za-z0-9][A-Za-z0-9._-]{0,254}):(?<port3>\d{1,5})[^\n]{0,60}\bnxdomain/,
    "Erlang, inet and httpc; Elixir, DBConnection",
  ),
  wording(
    "dart-host-lookup",
    "peer-name-unknown",
    null,
    "failed host lookup",
    /Failed host lookup: ["'](?<host>[A-Za-z0-9._-]{1,255})["']/,
    "Dart, dart:io",
  ),
  wording(
    "rust-name-unknown",
    "peer-name-unknown",
    null,
    "failed to lookup address information",
    /failed to lookup address information/,
    "Rust, std::net: it names no host",
  ),
];
