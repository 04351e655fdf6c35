import { escapedLength } from "./encode.ts";
import { LIMITS, type LimitName } from "./limits.ts";

/** A small closed language in which every block, element and object is described as data. */
export type Rule =
  | {
      readonly is: "string";
      readonly max?: LimitName;
      readonly mayBeEmpty?: boolean;
      readonly pattern?: RegExp;
    }
  | { readonly is: "enum"; readonly values: readonly (string | number)[] }
  | { readonly is: "boolean" }
  | { readonly is: "anything" }
  | {
      readonly is: "number";
      readonly min?: number;
      readonly max?: LimitName;
      readonly integer?: boolean;
    }
  | {
      readonly is: "list";
      readonly of: Rule;
      readonly min?: number | LimitName;
      readonly max?: LimitName;
    }
  | {
      readonly is: "text";
      readonly max: LimitName;
      readonly only?: "plain_text" | "mrkdwn";
    }
  | { readonly is: "object"; readonly shape: Shape }
  | {
      readonly is: "tagged";
      readonly among: () => Readonly<Record<string, Shape>>;
      readonly types?: readonly string[];
    };

export interface Shape {
  readonly required: Readonly<Record<string, Rule>>;
  readonly optional?: Readonly<Record<string, Rule>>;
  /** What one field alone cannot say. */
  readonly check?: (value: Fields, pointer: string, context: Context) => void;
}

export type Fields = Readonly<Record<string, unknown>>;
export type Surface = "message" | "modal" | "home";

/** One broken rule. `pointer` is a JSON pointer from the payload's root; `message` is worded as Slack words it. */
export interface Violation {
  readonly code: string;
  readonly message: string;
  readonly pointer: string;
  readonly constraint: Constraint | null;
}

export interface Constraint {
  readonly limit: LimitName;
  readonly allowed: number;
  readonly actual: number;
}

export interface Context {
  readonly surface: Surface;
  readonly unsupportedTypes: readonly string[];
  report(code: string, message: string, pointer: string, constraint?: Constraint): void;
}

/** Reports everything `value` breaks, not only the first. */
export function check(value: unknown, rule: Rule, pointer: string, context: Context): void {
  switch (rule.is) {
    case "string":
      checkString(value, rule, pointer, context);
      return;
    case "enum":
      if (rule.values.includes(value as string)) return;
      context.report("invalid_value", `must be one of: ${rule.values.join(", ")}`, pointer);
      return;
    case "boolean":
      if (typeof value === "boolean") return;
      context.report("invalid_type", "must provide a boolean", pointer);
      return;
    case "anything":
      return;
    case "number":
      checkNumber(value, rule, pointer, context);
      return;
    case "list":
      checkList(value, rule, pointer, context);
      return;
    case "text":
      checkText(value, rule, pointer, context);
      return;
    case "object":
      if (!isFields(value)) {
        context.report("invalid_type", "must provide an object", pointer);
        return;
      }
      checkShape(value, rule.shape, pointer, context);
      return;
    case "tagged":
      checkTagged(value, rule, pointer, context);
      return;
  }
}

export function checkShape(value: Fields, shape: Shape, pointer: string, context: Context): void {
  for (const [name, rule] of Object.entries(shape.required)) {
    if (value[name] === undefined) context.report("missing_field", `missing required field: ${name}`, pointer);
    else check(value[name], rule, `${pointer}/${name}`, context);
  }
  for (const [name, rule] of Object.entries(shape.optional ?? {})) {
    if (value[name] !== undefined) check(value[name], rule, `${pointer}/${name}`, context);
  }
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(shape.required, name) || Object.hasOwn(shape.optional ?? {}, name)) continue;
    if (value[name] === undefined) continue; // JSON.stringify leaves it out
    context.report("unknown_property", `invalid additional property: ${name}`, pointer);
  }
  shape.check?.(value, pointer, context);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `actual` above the named limit is reported in Slack's words for characters ("less than N + 1") or items. */
export function checkMax(
  actual: number,
  limit: LimitName,
  of: "characters" | "items",
  at: string,
  context: Context,
): void {
  const allowed = LIMITS[limit];
  if (actual <= allowed) return;
  const message =
    of === "items" ? `no more than ${allowed} items allowed` : `must be less than ${allowed + 1} characters`;
  context.report(of === "items" ? "too_many_items" : "too_long", message, at, {
    limit,
    allowed,
    actual,
  });
}

function checkString(value: unknown, rule: Rule & { is: "string" }, pointer: string, context: Context): void {
  if (typeof value !== "string") {
    context.report("invalid_type", "must provide a string", pointer);
    return;
  }
  if (value === "" && rule.mayBeEmpty !== true) {
    context.report("too_short", "must be more than 0 characters", pointer);
    return;
  }
  if (rule.max !== undefined) checkMax(escapedLength(value), rule.max, "characters", pointer, context);
  if (rule.pattern !== undefined && !rule.pattern.test(value)) {
    context.report("invalid_value", "must match the expected format", pointer);
  }
}

function checkNumber(value: unknown, rule: Rule & { is: "number" }, pointer: string, context: Context): void {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    context.report("invalid_type", "must provide a number", pointer);
    return;
  }
  if (rule.integer === true && !Number.isInteger(value))
    context.report("invalid_type", "must provide an integer", pointer);
  if (rule.min !== undefined && value < rule.min) {
    context.report("too_small", `must be at least ${rule.min}`, pointer);
  }
  if (rule.max === undefined || value <= LIMITS[rule.max]) return;
  const constraint = {
    limit: rule.max,
    allowed: LIMITS[rule.max],
    actual: value,
  };
  context.report("too_large", `must be at most ${constraint.allowed}`, pointer, constraint);
}

function checkList(value: unknown, rule: Rule & { is: "list" }, pointer: string, context: Context): void {
  if (!Array.isArray(value)) {
    context.report("invalid_type", "must provide an array", pointer);
    return;
  }
  const min = typeof rule.min === "string" ? LIMITS[rule.min] : (rule.min ?? 0);
  if (value.length < min) {
    const constraint =
      typeof rule.min === "string" ? { limit: rule.min, allowed: min, actual: value.length } : undefined;
    context.report("too_few_items", `no fewer than ${min} items required`, pointer, constraint);
  }
  if (rule.max !== undefined) checkMax(value.length, rule.max, "items", pointer, context);
  for (const [index, item] of value.entries()) check(item, rule.of, `${pointer}/${index}`, context);
}

function checkText(value: unknown, rule: Rule & { is: "text" }, pointer: string, context: Context): void {
  if (!isFields(value)) {
    context.report("invalid_type", "must provide an object", pointer);
    return;
  }
  const type = value["type"];
  const known = type === "plain_text" || type === "mrkdwn";
  if (!known || (rule.only !== undefined && type !== rule.only)) {
    context.report("unsupported_type", `unsupported type: ${String(type)}`, pointer);
    return;
  }
  const flag: Readonly<Record<string, Rule>> =
    type === "mrkdwn" ? { verbatim: { is: "boolean" } } : { emoji: { is: "boolean" } };
  checkShape(
    value,
    {
      required: { type: { is: "string" } },
      optional: { text: { is: "string" }, ...flag },
    },
    pointer,
    context,
  );
  const text = value["text"];
  if (text === undefined) {
    context.report("missing_field", "missing required field: text", pointer);
    return;
  }
  if (typeof text !== "string") return;
  // mrkdwn arrives escaped; plain text is escaped when Slack stores it.
  checkMax(type === "mrkdwn" ? text.length : escapedLength(text), rule.max, "characters", `${pointer}/text`, context);
}

function checkTagged(value: unknown, rule: Rule & { is: "tagged" }, pointer: string, context: Context): void {
  if (!isFields(value)) {
    context.report("invalid_type", "must provide an object", pointer);
    return;
  }
  const type = value["type"];
  if (type === undefined) {
    context.report("missing_field", "missing required field: type", pointer);
    return;
  }
  const shapes = rule.among();
  const allowed = typeof type === "string" && Object.hasOwn(shapes, type) && (rule.types?.includes(type) ?? true);
  if (!allowed || context.unsupportedTypes.includes(type)) {
    context.report("unsupported_type", `unsupported type: ${String(type)}`, pointer);
    return;
  }
  checkShape(value, shapes[type] as Shape, pointer, context);
}
