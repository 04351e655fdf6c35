import type { ProxyKind } from "../core/proxy-kind.ts";

export interface Upstream {
  host: string;
  port: number | null;
  /** Counted from 1. */
  line: number;
}

/**
 * The places a proxy's configuration sends requests to, in the order they stand. Tolerant: what it does not understand
 * it passes over, and a place that is only known at run time (a variable, a socket file) is none. Linear in the text.
 */
export function upstreamsIn(kind: ProxyKind, text: string): Upstream[] {
  switch (kind) {
    case "nginx":
      return nginx(text);
    case "haproxy":
      return haproxy(text);
    case "traefik":
      return traefik(text);
    case "envoy":
      return envoy(text);
    case "caddy":
      return caddy(text);
  }
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443, h2c: 80, grpc: 80, grpcs: 443 };
const placePattern =
  /^(?:([a-z][a-z0-9+]{0,15}):\/\/)?(?:[^\s/@]{0,256}@)?(\[[0-9a-f:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9._-]{0,253})(?::(\d{1,5}))?(?:[/?].*)?$/i;

/** `http://app:8000/x`, `app:8000`, `10.0.0.5`; null for what is no place on a network. `port` stands where none is named. */
function placeOf(word: string, line: number, port: number | null): Upstream | null {
  const match = placePattern.exec(word.slice(0, 1_000));
  const named = match?.[3] === undefined ? null : Number(match[3]);
  if (match === null || (named !== null && (named < 1 || named > 65_535))) return null;
  const host = (match[2] ?? "").replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "0.0.0.0" || host === "::" || host === "unix") return null;
  return { host, port: named ?? defaultPorts[(match[1] ?? "").toLowerCase()] ?? port, line };
}

function places(words: readonly string[], line: number, port: number | null): Upstream[] {
  return words.map((word) => placeOf(word, line, port)).filter((place) => place !== null);
}

interface Statement {
  words: string[];
  line: number;
  /** The first word of the block around it. */
  inside: string;
}

/** `words … ;` and `words … {`: the form of nginx's configuration, with its comments and quotes. */
function statements(text: string): Statement[] {
  const found: Statement[] = [];
  const inside: string[] = [];
  const token =
    /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|#[^\n]*|[;{}\n]|\$\{\w+\}|(?:[^\s;{}#"'$]|\$(?!\{)|(?<=\S)#)+/g;
  let words: string[] = [];
  let line = 1;
  let startedAt = 1;
  for (const match of text.matchAll(token)) {
    const [word] = match;
    if (word === ";" || word === "{") {
      found.push({ words, line: startedAt, inside: inside.at(-1) ?? "" });
      if (word === "{" && inside.length < 50) inside.push(words[0] ?? "");
      words = [];
    } else if (word === "}") {
      inside.pop();
      words = [];
    } else if (word === "\n") line += 1;
    else if (!word.startsWith("#")) {
      if (words.length === 0) startedAt = line;
      if (words.length < 100) words.push(match[1] ?? match[2] ?? word);
      line += word.split("\n").length - 1;
    }
  }
  return found;
}

function nginx(text: string): Upstream[] {
  const all = statements(text);
  const groups = new Set(all.filter(({ words }) => words[0] === "upstream").map(({ words }) => words[1]));
  return all.flatMap(({ words: [head = "", first = "", second = ""], line, inside }) => {
    const isGroup = (word: string) => groups.has(word.replace(/^[a-z]+:\/\//i, "").replace(/[/:].*$/, ""));
    if (head === "server" && inside === "upstream") return places([first], line, 80);
    // `set $app http://app:8000;` is how a name is made to be looked up at each request.
    if (head === "set" && /^[a-z]+:\/\/|:\d+$/i.test(second)) return places([second], line, 80);
    const passes = /^(?:proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass$/.test(head);
    return passes && !isGroup(first)
      ? places([first], line, head === "proxy_pass" || head === "grpc_pass" ? 80 : null)
      : [];
  });
}

function haproxy(text: string): Upstream[] {
  let section = "";
  return lines(text, /(^|\s)#.*$/).flatMap(({ words, line }) => {
    const [head = "", name = "", third = "", fourth = ""] = words;
    if (/^(global|defaults|frontend|backend|listen|resolvers|peers|userlist|program|ring|cache|mailers)$/.test(head))
      section = head;
    if (section !== "backend" && section !== "listen") return [];
    if (head === "server" && name !== "") return places([third.replace(/^ipv[46]@/, "")], line, null);
    return head === "server-template" ? places([fourth], line, null) : [];
  });
}

/** `url: "http://app:8000"` of a service, `address: "db:5432"` of a TCP server; in TOML with `=`. */
function traefik(text: string): Upstream[] {
  return lines(text, /(^|\s)#.*$/).flatMap(({ text: whole, line }) =>
    [...whole.matchAll(/(?:^|[\s{,["'-])(?:url|address)["']?\s{0,20}[:=]\s{0,20}["']?([^\s"',}\]]{1,300})/gi)].flatMap(
      (match) => places([match[1] ?? ""], line, null),
    ),
  );
}

/** `socket_address: { address: app, port_value: 8000 }`, on one line or on several, in YAML or JSON. */
function envoy(text: string): Upstream[] {
  const bare = text.replace(/(^|\s)#[^\n]*/g, "$1");
  const pattern =
    /\baddress["']?:\s{0,40}["']?([A-Za-z0-9][A-Za-z0-9._-]{0,253})["']?[\s,]{1,80}(?:["']?protocol["']?:\s{0,10}["']?\w{1,10}["']?[\s,]{1,80})?["']?port_value["']?:\s{0,10}["']?(\d{1,5})/g;
  let line = 1;
  let from = 0;
  return [...bare.matchAll(pattern)].flatMap((match) => {
    for (let at = bare.indexOf("\n", from); at >= 0 && at < match.index; at = bare.indexOf("\n", at + 1)) {
      line += 1;
      from = at + 1;
    }
    return places([`${match[1]}:${match[2]}`], line, null);
  });
}

/** `reverse_proxy /api app:8000 app2:8000 {`, `php_fastcgi app:9000`, and `to app:8000` inside such a block. */
function caddy(text: string): Upstream[] {
  return lines(text, /(^|\s)#.*$/).flatMap(({ words, line }) => {
    const at = words.findIndex((word) => word === "reverse_proxy" || word === "php_fastcgi" || word === "to");
    if (at < 0 || (words[at] === "to" && at > 0)) return [];
    const after = words.slice(at + 1, at + 50);
    const end = after.indexOf("{");
    const named = (end < 0 ? after : after.slice(0, end)).filter((word) => !/^[/@*{:]/.test(word));
    return places(named, line, words[at] === "php_fastcgi" ? null : 80);
  });
}

function lines(text: string, comment: RegExp): { text: string; words: string[]; line: number }[] {
  return text.split("\n").flatMap((whole, at) => {
    const bare = whole === "" ? "" : whole.slice(0, 4_000).replace(comment, "").trim();
    return bare === "" ? [] : [{ text: bare, words: bare.split(/\s+/), line: at + 1 }];
  });
}
