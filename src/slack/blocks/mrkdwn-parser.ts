import { unescapeMrkdwn } from "./encode.ts";

/** Texts in the tree are decoded: `&lt;!here&gt;` is the text `<!here>` and never a mention. */
export type MrkdwnNode =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "bold" | "italic" | "strike" | "quote" | "code" | "fence";
      readonly children: readonly MrkdwnNode[];
    }
  | { readonly kind: "link"; readonly url: string; readonly label: string }
  | {
      readonly kind: "user" | "channel" | "subteam";
      readonly id: string;
      readonly label: string | null;
    }
  | {
      readonly kind: "broadcast";
      readonly range: Broadcast;
      readonly bare: boolean;
    }
  /** A bare `#name` or `@name` that Slack would look up; the id is not known here. */
  | { readonly kind: "name"; readonly sign: "#" | "@"; readonly name: string }
  | {
      readonly kind: "date";
      readonly unixSeconds: number;
      readonly format: string;
      readonly url: string | null;
      readonly fallback: string;
    }
  | { readonly kind: "emoji"; readonly name: string };

export type Broadcast = "here" | "channel" | "everyone";

export interface ParseOptions {
  /** true (the default): only `<…>` is live. false: bare @here, #channel and URLs too, Slack's default for mrkdwn. */
  readonly verbatim?: boolean;
  /** Bare `@name` is looked up as well, as with `link_names` or `parse: full`. */
  readonly linkNames?: boolean;
}

/**
 * Parses Slack's mrkdwn as it is sent: `&`, `<`, `>` escaped in text, control sequences between `<` and `>`. Takes time
 * linear in the text. Code keeps its control sequences live: whether Slack does is not documented, and a mention taken
 * for text would be the worse mistake.
 */
export function parseMrkdwn(text: string, options: ParseOptions = {}): MrkdwnNode[] {
  const nodes: MrkdwnNode[] = [];
  let from = 0;
  for (const fence of text.matchAll(/```\n?([\s\S]+?)```/g)) {
    append(nodes, parseLines(text.slice(from, fence.index), options));
    nodes.push({
      kind: "fence",
      children: parseTokens((fence[1] as string).replace(/\n$/, "")),
    });
    from = fence.index + fence[0].length;
  }
  append(nodes, parseLines(text.slice(from), options));
  return joinTexts(nodes);
}

/** The words of a tree, without its formatting. */
export function textOf(nodes: readonly MrkdwnNode[]): string {
  return nodes.map(wordsOf).join("");
}

function wordsOf(node: MrkdwnNode): string {
  switch (node.kind) {
    case "text":
      return node.text;
    case "bold":
    case "italic":
    case "strike":
    case "quote":
    case "code":
    case "fence":
      return textOf(node.children);
    case "link":
      return node.label;
    case "user":
    case "subteam":
      return `@${node.label ?? node.id}`;
    case "channel":
      return `#${node.label ?? node.id}`;
    case "broadcast":
      return `@${node.range}`;
    case "name":
      return node.sign + node.name;
    case "date":
      return node.fallback;
    case "emoji":
      return `:${node.name}:`;
  }
}

/** Not `push(...more)`: that puts every item on the stack, and a hostile text has very many. */
function append<T>(items: T[], more: readonly T[]): void {
  for (const item of more) items.push(item);
}

/** Splits off quotes: lines that start with `>` (which arrives as `&gt;`), and everything after `>>>`. */
function parseLines(text: string, options: ParseOptions): MrkdwnNode[] {
  const nodes: MrkdwnNode[] = [];
  let quoted: string[] = [];
  const flush = (): void => {
    if (quoted.length > 0)
      nodes.push({
        kind: "quote",
        children: parseInlineLines(quoted, options),
      });
    quoted = [];
  };
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const rest = /^(?:>|&gt;){3}/.exec(line);
    if (rest !== null) {
      quoted = quoted.concat(line.slice(rest[0].length), lines.slice(index + 1));
      break;
    }
    const quote = /^(?:>|&gt;) ?/.exec(line);
    if (quote !== null) {
      quoted.push(line.slice(quote[0].length));
      continue;
    }
    flush();
    append(nodes, parseInline(line, options));
    if (index < lines.length - 1) nodes.push({ kind: "text", text: "\n" });
  }
  flush();
  return nodes;
}

function parseInlineLines(lines: readonly string[], options: ParseOptions): MrkdwnNode[] {
  return joinTexts(lines.flatMap((line, index) => parseInline(index === 0 ? line : `\n${line}`, options)));
}

type Atom =
  | { readonly node: MrkdwnNode; readonly marker: null }
  | {
      readonly node: null;
      readonly marker: Marker;
      readonly opens: boolean;
      readonly closes: boolean;
    };
type Marker = "*" | "_" | "~";
const STYLES = { "*": "bold", _: "italic", "~": "strike" } as const;

const TOKEN = "<[^<>\\n]*>";
const CODE = "`[^`\\n]+`";
const EMOJI = ":[a-z0-9_+'-]{1,100}:";
const BROADCAST = "(?<![\\p{L}\\p{N}_@])@(?:here|channel|everyone)(?![\\p{L}\\p{N}_])";
const CHANNEL = "(?<![\\p{L}\\p{N}_&#])#[a-z0-9][a-z0-9_-]{0,79}";
const NAME = "(?<![\\p{L}\\p{N}_@])@[a-z0-9][a-z0-9._-]{0,79}";
const URL = "https?:\\/\\/[^\\s<>|`]+";

const SCANNERS = {
  verbatim: new RegExp([TOKEN, CODE, EMOJI, "[*_~]"].join("|"), "giu"),
  bare: new RegExp([TOKEN, CODE, URL, BROADCAST, CHANNEL, EMOJI, "[*_~]"].join("|"), "giu"),
  names: new RegExp([TOKEN, CODE, URL, BROADCAST, CHANNEL, NAME, EMOJI, "[*_~]"].join("|"), "giu"),
};

function parseInline(line: string, options: ParseOptions): MrkdwnNode[] {
  const bare = options.verbatim === false ? SCANNERS.bare : SCANNERS.verbatim;
  const atoms: Atom[] = [];
  let from = 0;
  const text = (until: number): void => {
    if (until > from)
      atoms.push({
        node: { kind: "text", text: unescapeMrkdwn(line.slice(from, until)) },
        marker: null,
      });
  };
  for (const match of line.matchAll(options.linkNames === true ? SCANNERS.names : bare)) {
    text(match.index);
    from = match.index + match[0].length;
    atoms.push(atomOf(match[0], line[match.index - 1], line[from]));
  }
  text(line.length);
  return joinTexts(resolveStyles(atoms));
}

function atomOf(found: string, before: string | undefined, after: string | undefined): Atom {
  if (found === "*" || found === "_" || found === "~") {
    const opens = !isWord(before) && after !== undefined && !/\s/.test(after);
    const closes = !isWord(after) && before !== undefined && !/\s/.test(before);
    return { node: null, marker: found, opens, closes };
  }
  return { node: nodeOf(found), marker: null };
}

function nodeOf(found: string): MrkdwnNode {
  switch (found[0]) {
    case "<":
      return parseToken(found);
    case "`":
      return { kind: "code", children: parseTokens(found.slice(1, -1)) };
    case ":": {
      const name = found.slice(1, -1).toLowerCase();
      // A time of day (12:34:56) is no emoji; these two numbers are.
      return /^\d+$/.test(name) && name !== "100" && name !== "1234"
        ? { kind: "text", text: found }
        : { kind: "emoji", name };
    }
    case "@": {
      const name = found.slice(1).toLowerCase();
      return isBroadcast(name) ? { kind: "broadcast", range: name, bare: true } : { kind: "name", sign: "@", name };
    }
    case "#":
      return { kind: "name", sign: "#", name: found.slice(1).toLowerCase() };
    default:
      return {
        kind: "link",
        url: unescapeMrkdwn(found),
        label: unescapeMrkdwn(found),
      };
  }
}

/** Pairs markers: the nearest closer of the same kind wins, and what never closes is text. */
function resolveStyles(atoms: readonly Atom[]): MrkdwnNode[] {
  const closers: Record<Marker, number[]> = { "*": [], _: [], "~": [] };
  for (const [index, atom] of atoms.entries())
    if (atom.marker !== null && atom.closes) closers[atom.marker].push(index);
  return resolveRange(atoms, 0, atoms.length, closers);
}

function resolveRange(
  atoms: readonly Atom[],
  start: number,
  end: number,
  closers: Record<Marker, number[]>,
): MrkdwnNode[] {
  const nodes: MrkdwnNode[] = [];
  for (let index = start; index < end; index++) {
    const atom = atoms[index] as Atom;
    if (atom.marker === null) {
      nodes.push(atom.node);
      continue;
    }
    // Between the markers there must be something: `**` is text.
    const close = atom.opens ? nextAbove(closers[atom.marker], index + 1) : undefined;
    if (close === undefined || close >= end) {
      nodes.push({ kind: "text", text: atom.marker });
      continue;
    }
    nodes.push({
      kind: STYLES[atom.marker],
      children: joinTexts(resolveRange(atoms, index + 1, close, closers)),
    });
    index = close;
  }
  return nodes;
}

function nextAbove(sorted: readonly number[], floor: number): number | undefined {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) > floor) high = middle;
    else low = middle + 1;
  }
  return sorted[low];
}

/** Only `<…>` is live here: the inside of code. */
function parseTokens(text: string): MrkdwnNode[] {
  const parts = text.split(/(<[^<>\n]*>)/);
  return joinTexts(
    parts.map((part, index) => (index % 2 === 1 ? parseToken(part) : { kind: "text", text: unescapeMrkdwn(part) })),
  );
}

function parseToken(token: string): MrkdwnNode {
  const inner = token.slice(1, -1);
  const bar = inner.indexOf("|");
  const target = bar === -1 ? inner : inner.slice(0, bar);
  const label = bar === -1 ? null : unescapeMrkdwn(inner.slice(bar + 1));
  const mention = /^(@[UW]|#[CDG]|!subteam\^S)[A-Z0-9]+$/.exec(target);
  if (mention !== null) {
    const kind = target[0] === "@" ? "user" : target[0] === "#" ? "channel" : "subteam";
    return {
      kind,
      id: target.replace(/^(@|#|!subteam\^)/, ""),
      label: label === "" ? null : label,
    };
  }
  if (target[0] === "!" && isBroadcast(target.slice(1))) {
    return {
      kind: "broadcast",
      range: target.slice(1) as Broadcast,
      bare: false,
    };
  }
  const date = /^!date\^(-?\d{1,12})\^([^^]+)(?:\^(.+))?$/.exec(target);
  if (date !== null) {
    const [, seconds, format, url] = date as unknown as [string, string, string, string | undefined];
    const fallback = label ?? "";
    return {
      kind: "date",
      unixSeconds: Number(seconds),
      format: unescapeMrkdwn(format),
      url: webUrl(url),
      fallback,
    };
  }
  const url = webUrl(target) ?? (/^mailto:[^\s]+$/i.test(target) ? unescapeMrkdwn(target) : null);
  if (url !== null)
    return {
      kind: "link",
      url,
      label: label === null || label === "" ? url : label,
    };
  return { kind: "text", text: unescapeMrkdwn(token) };
}

function webUrl(text: string | undefined): string | null {
  return text !== undefined && /^https?:\/\/[^\s]+$/i.test(text) ? unescapeMrkdwn(text) : null;
}

function isBroadcast(name: string): name is Broadcast {
  return name === "here" || name === "channel" || name === "everyone";
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}

function joinTexts(nodes: readonly MrkdwnNode[]): MrkdwnNode[] {
  const joined: MrkdwnNode[] = [];
  let run: string[] = [];
  const flush = (): void => {
    const text = run.join("");
    if (text !== "") joined.push({ kind: "text", text });
    run = [];
  };
  for (const node of nodes) {
    if (node.kind === "text") {
      run.push(node.text);
      continue;
    }
    flush();
    joined.push(node);
  }
  flush();
  return joined;
}
