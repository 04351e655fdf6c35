import { isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";

/** One thing wrong with the file, where it stands. */
export interface ConfigProblem {
  line: number;
  column: number;
  message: string;
}

type Path = readonly PropertyKey[];

export interface YamlText {
  value: unknown;
  problems: ConfigProblem[];
  /** Where the value at a path begins, or with `key` the last key of the path itself. */
  at(path: Path, key?: string): { line: number; column: number };
}

/** Parses YAML and keeps where everything stood. Duplicate keys, bad indentation and many aliases are problems. */
export function readYaml(text: string): YamlText {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  const position = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems = document.errors.map((error) => ({ ...position(error.pos[0]), message: firstLine(error.message) }));
  let value: unknown = null;
  try {
    if (problems.length === 0) value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    problems.push({ line: 1, column: 1, message: firstLine((error as Error).message) });
  }
  return {
    value: value ?? {},
    problems,
    at(path, key) {
      let node: unknown = document.contents;
      let offset = 0;
      for (const part of key === undefined ? path : [...path, key]) {
        const found = childOf(node, part);
        if (!found) break;
        offset = found.offset;
        node = found.node;
      }
      return position(offset);
    },
  };
}

function childOf(node: unknown, part: PropertyKey): { node: unknown; offset: number } | null {
  if (isMap(node)) {
    const pair = node.items.find(
      (item) => String((item.key as { value?: unknown })?.value ?? item.key) === String(part),
    );
    const keyAt = (pair?.key as Node | undefined)?.range?.[0];
    return pair && keyAt !== undefined ? { node: pair.value, offset: keyAt } : null;
  }
  if (isSeq(node)) {
    const item = node.items[Number(part)] as Node | undefined;
    return item?.range ? { node: item, offset: item.range[0] } : null;
  }
  return null;
}

/** zod's issues as sentences with a place: an unknown key names the nearest one that would be known there. */
export function problemsOf(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], yaml: YamlText): ConfigProblem[] {
  return issues.flatMap((issue): ConfigProblem[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        ...yaml.at(issue.path, key),
        message: `unknown key ${quote(inside(issue.path, key))}${suggestion(key, keysAt(schema, issue.path))}`,
      }));
    }
    if (issue.code === "invalid_union") {
      const nearest = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] ?? [];
      if (nearest.length > 0) {
        return problemsOf(
          schema,
          nearest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
          yaml,
        );
      }
    }
    const where = issue.path.length === 0 ? "the file" : quote(inside(issue.path));
    return [{ ...yaml.at(issue.path), message: `${where} ${sentence(issue)}` }];
  });
}

/** Prefers the branch of a union that got furthest: a wrong text is told rather than `not an object`. */
function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(...issues.map((issue) => issue.path.length * 2 + (issue.code === "invalid_type" ? 0 : 1)));
}

function sentence(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type": {
      const expected =
        issue.expected === "record" || issue.expected === "object"
          ? "a mapping (key: value)"
          : issue.expected === "array"
            ? "a list"
            : `a ${issue.expected}`;
      return issue.input === undefined && /received undefined/.test(issue.message)
        ? "is missing"
        : `must be ${expected}`;
    }
    case "invalid_value":
      return `must be one of ${issue.values.map(String).join(", ")}`;
    case "invalid_key":
      return issue.issues[0]?.message ?? "is not an allowed key";
    default:
      return issue.message.startsWith("must") || issue.message.startsWith("is ") || issue.message.startsWith("repeats")
        ? issue.message
        : `is wrong: ${firstLine(issue.message)}`;
  }
}

function inside(path: Path, key?: string): string {
  return (key === undefined ? path : [...path, key])
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${String(part)}`))
    .join("");
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 120));
}

function firstLine(text: string): string {
  return (text.split("\n")[0] as string).slice(0, 300);
}

/** The keys a schema knows at a path, through optional and default wrappers, lists and records. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let current: unknown = schema;
  for (const part of [...path, null]) {
    current = unwrap(current);
    const def = (current as { def?: Record<string, unknown> }).def ?? {};
    const shape = (current as { shape?: Record<string, unknown> }).shape;
    if (part === null) return shape ? Object.keys(shape) : [];
    if (shape) current = shape[String(part)];
    else current = def["type"] === "array" ? def["element"] : def["valueType"];
    if (current === undefined) return [];
  }
  return [];
}

function unwrap(schema: unknown): unknown {
  let current = schema as { def?: Record<string, unknown> };
  for (;;) {
    const inner = current?.def?.["innerType"] ?? current?.def?.["in"];
    const options = current?.def?.["options"];
    if (inner) current = inner as typeof current;
    else if (Array.isArray(options)) current = (options.find((option) => "shape" in option) ?? {}) as typeof current;
    else return current;
  }
}

function suggestion(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  if (near) return `; did you mean ${quote(near)}?`;
  return known.length > 0 ? `; known here: ${known.join(", ")}` : "";
}

/** The known word nearest to a mistyped one, null when none is near. Counts a swap of neighbours as one edit. */
export function nearest(word: string, known: readonly string[]): string | null {
  const scored = known
    .map((candidate) => ({ candidate, edits: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits || (a.candidate < b.candidate ? -1 : 1));
  const best = scored[0];
  return best && best.edits <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : null;
}

function editDistance(a: string, b: string): number {
  if (a.length > 64) return 64;
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((rows[i - 1]?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (rows[i - 1]?.[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 64;
}
