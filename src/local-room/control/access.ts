import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Tokens by person. With none, the room is open, and only ever bound to loopback. */
export type AccessTokens = Readonly<Record<string, string>>;

export type Visitor =
  /** Whoever the request names: only on loopback without tokens. */
  | { kind: "anyone" }
  /** The token's person, never a free choice. `token` is there when it came in the address, to be kept as a cookie. */
  | { kind: "person"; user: string; tokenFromUrl: string | null }
  | { kind: "refused"; status: 401 | 403; error: string };

const cookieName = "room_access";

/**
 * Who is asking. Other sites must not be able to act through a visitor's browser: the host has to be ours (DNS
 * rebinding) and a request from a page has to come from this origin.
 */
export function visitorOf(request: IncomingMessage, tokens: AccessTokens, loopbackOnly: boolean): Visitor {
  const host = request.headers.host ?? "";
  if (loopbackOnly && !isLoopbackHost(host.replace(/:\d+$/, "")))
    return { kind: "refused", status: 403, error: "unknown_host" };
  const origin = request.headers.origin;
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host))
    return { kind: "refused", status: 403, error: "foreign_origin" };
  if (Object.keys(tokens).length === 0)
    return loopbackOnly ? { kind: "anyone" } : { kind: "refused", status: 401, error: "access_token_needed" };
  const fromUrl = new URL(request.url ?? "/", "http://room").searchParams.get("access");
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const given = bearer ?? fromUrl ?? cookieOf(request);
  const user = given === null ? null : userOf(tokens, given);
  if (user === null)
    return { kind: "refused", status: 401, error: given === null ? "access_token_needed" : "access_token_unknown" };
  return { kind: "person", user, tokenFromUrl: bearer === undefined ? fromUrl : null };
}

export const isLoopbackHost = (host: string) =>
  host === "localhost" || host === "[::1]" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);

export const accessCookie = (token: string) =>
  `${cookieName}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict`;

function cookieOf(request: IncomingMessage): string | null {
  const pair = (request.headers.cookie ?? "").split(/;\s*/).find((part) => part.startsWith(`${cookieName}=`));
  return pair === undefined ? null : decoded(pair.slice(cookieName.length + 1));
}

/** Compares digests, so that neither length nor content of a token shows in the time it takes. */
function userOf(tokens: AccessTokens, given: string): string | null {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = digest(given);
  let found: string | null = null;
  for (const [token, user] of Object.entries(tokens)) if (timingSafeEqual(digest(token), wanted)) found = user;
  return found;
}

/** Percent-encoding that is none stays as it is, and matches no token. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
