import type { LogPattern } from "../log-signals.ts";
import { wording } from "./pattern.ts";

const url = String.raw`https?:\/\/(?<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?)(?::(?<port>\d{1,5}))?`;
const second = url.replace("<host>", "<host2>").replace("<port>", "<port2>");
const third = url.replace("<host>", "<host3>").replace("<port>", "<port3>");
const reason = "(?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out|Server Error)";
const method = "(?:GET|POST|PUT|PATCH|DELETE|HEAD)";

/**
 * HTTP clients that say which address answered 5xx. An address is the surest name of a peer, so these stand before the
 * wordings without one. A bare `status=500 … http://…` is no complaint: access logs hold it, with the referrer behind it.
 */
export const httpCallerPatterns: readonly LogPattern[] = [
  wording(
    "http-5xx-of-url",
    "peer-http-error",
    "http",
    ["http://", "https://"],
    new RegExp(
      [
        String.raw`(?:status(?: ?code)?:? ?\(?|HTTP Error |Response code )5\d\d\b[^\n]{0,200}?${url}`,
        String.raw`\b5\d\d(?: ${reason})?\]?:? (?:on|during|from|for(?: url)?|at):? \[?(?:${method}\]? )?(?:request for |to )?["'\x60[]?${second}`,
        String.raw`(?:${method} |status(?: code)? (?:from|of) )${third}[^\s"'\x60]{0,300}["'\x60]?:? (?:resulted in|returned|failed with|answered|responded with|HTTP Error)[^\n]{0,40}?\b5\d\d\b`,
      ].join("|"),
      "i",
    ),
    "axios; Ruby, Faraday; got; reqwest; Spring, RestTemplate; Feign; PHP, Guzzle; Spring, WebClient; Python, urllib",
  ),
];
