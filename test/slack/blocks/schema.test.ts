import { describe, expect, it } from "vitest";
import {
  type Context,
  check,
  checkMax,
  checkShape,
  isFields,
  type Rule,
  type Shape,
} from "../../../src/slack/blocks/schema.ts";

/** "code: message @ pointer (limit allowed actual)" of everything that is reported. */
function collected(run: (context: Context) => void, unsupportedTypes: readonly string[] = []): string[] {
  const found: string[] = [];
  run({
    surface: "message",
    unsupportedTypes,
    report(code, message, pointer, constraint) {
      const limit = constraint === undefined ? "" : ` (${Object.values(constraint).join(" ")})`;
      found.push(`${code}: ${message} @ ${pointer}${limit}`);
    },
  });
  return found;
}
const broken = (value: unknown, rule: Rule): string[] => collected((context) => check(value, rule, "/x", context));

const noString = "invalid_type: must provide a string @ /x";
const noNumber = "invalid_type: must provide a number @ /x";
const noList = "invalid_type: must provide an array @ /x";
const noObject = "invalid_type: must provide an object @ /x";
const noInteger = "invalid_type: must provide an integer @ /x";
const noMatch = "invalid_value: must match the expected format @ /x";
const noEnum = "invalid_value: must be one of: a, 1 @ /x";
const noBoolean = "invalid_type: must provide a boolean @ /x";

const shape: Shape = {
  required: { type: { is: "string" }, name: { is: "string" } },
  optional: { flag: { is: "boolean" } },
  check(value, pointer, context) {
    if (value["name"] === "no") context.report("named_no", "must not be no", pointer);
  },
};
const bare: Shape = { required: { type: { is: "string" } } };
const tagged: Rule = { is: "tagged", among: () => ({ named: shape, bare }) };
const some: Rule = { is: "tagged", among: () => ({ named: shape, bare }), types: ["bare"] };
const word: Rule = { is: "string", max: "chartLabel", pattern: /^[a-z&]*$/ };
const lines: Rule = { is: "number", integer: true, min: 1, max: "inputLines" };
const two: Rule = { is: "list", of: { is: "boolean" }, min: 2, max: "cardActions" };
const rows: Rule = { is: "list", of: { is: "anything" }, min: "dataTableRowsMin" };
const text: Rule = { is: "text", max: "chartLabel" };
const onlyPlain: Rule = { is: "text", max: "chartLabel", only: "plain_text" };
const onlyMrkdwn: Rule = { is: "text", max: "chartLabel", only: "mrkdwn" };
const plain = (value: unknown, more: object = {}): object => ({ type: "plain_text", text: value, ...more });
const mrkdwn = (value: unknown, more: object = {}): object => ({ type: "mrkdwn", text: value, ...more });

const cases: readonly (readonly [name: string, value: unknown, rule: Rule, expected: readonly string[]])[] = [
  ["a string", "word", word, []],
  ["a string that is a number", 5, word, [noString]],
  ["a string that is a list", ["word"], word, [noString]],
  ["an empty string", "", word, ["too_short: must be more than 0 characters @ /x"]],
  ["an empty string that may be", "", { is: "string", mayBeEmpty: true }, []],
  ["a string without a limit", "x".repeat(50_000), { is: "string" }, []],
  ["a string that is as long as may be", "x".repeat(20), word, []],
  [
    "a string one too long",
    "x".repeat(21),
    word,
    ["too_long: must be less than 21 characters @ /x (chartLabel 20 21)"],
  ],
  [
    "a string that counts escaped",
    "&&&&&",
    word,
    ["too_long: must be less than 21 characters @ /x (chartLabel 20 25)"],
  ],
  ["a string of another form", "W", word, [noMatch]],
  [
    "a string too long and of another form",
    "W".repeat(21),
    word,
    ["too_long: must be less than 21 characters @ /x (chartLabel 20 21)", noMatch],
  ],
  ["one of several", 1, { is: "enum", values: ["a", 1] }, []],
  ["none of several", "1", { is: "enum", values: ["a", 1] }, [noEnum]],
  ["true", true, { is: "boolean" }, []],
  ["false", false, { is: "boolean" }, []],
  ["a flag that is a word", "true", { is: "boolean" }, [noBoolean]],
  ["anything", null, { is: "anything" }, []],
  ["a number at its smallest", 1, lines, []],
  ["a number below its smallest", 0, lines, ["too_small: must be at least 1 @ /x"]],
  ["a number at its largest", 100, lines, []],
  ["a number above its largest", 101, lines, ["too_large: must be at most 100 @ /x (inputLines 100 101)"]],
  ["half a number where none may be", 1.5, lines, [noInteger]],
  ["half a number", -1.5, { is: "number" }, []],
  ["half a number where that is said", 1.5, { is: "number", integer: false }, []],
  ["a number that is a word", "5", lines, [noNumber]],
  ["a number that is none", Number.NaN, lines, [noNumber]],
  ["a number without end", Number.POSITIVE_INFINITY, { is: "number" }, [noNumber]],
  ["a list", [true, false], two, []],
  ["a list that is an object", { length: 2 }, two, [noList]],
  ["a list that is a word", "ab", two, [noList]],
  ["a list one too short", [true], two, ["too_few_items: no fewer than 2 items required @ /x"]],
  [
    "a list one too short by a named limit",
    [1],
    rows,
    ["too_few_items: no fewer than 2 items required @ /x (dataTableRowsMin 2 1)"],
  ],
  ["a list at a named limit", [1, 2], rows, []],
  ["an empty list that may be", [], { is: "list", of: { is: "boolean" } }, []],
  [
    "a list one too long",
    [true, true, true, true],
    two,
    ["too_many_items: no more than 3 items allowed @ /x (cardActions 3 4)"],
  ],
  ["a list with a stranger", [true, 1], two, ["invalid_type: must provide a boolean @ /x/1"]],
  ["plain text", plain("x", { emoji: false }), text, []],
  ["mrkdwn", mrkdwn("x", { verbatim: true }), text, []],
  ["text that is a string", "x", text, [noObject]],
  ["text that is nothing", null, text, [noObject]],
  [
    "text of another type",
    { type: "markdown", text: "x" },
    text,
    ["unsupported_type: unsupported type: markdown @ /x"],
  ],
  ["text without a type", { text: "x" }, text, ["unsupported_type: unsupported type: undefined @ /x"]],
  ["plain text where only that may be", plain("x"), onlyPlain, []],
  ["mrkdwn where only that may be", mrkdwn("x"), onlyMrkdwn, []],
  ["mrkdwn where plain text must be", mrkdwn("x"), onlyPlain, ["unsupported_type: unsupported type: mrkdwn @ /x"]],
  ["plain text where mrkdwn must be", plain("x"), onlyMrkdwn, ["unsupported_type: unsupported type: plain_text @ /x"]],
  ["text without text", { type: "mrkdwn" }, text, ["missing_field: missing required field: text @ /x"]],
  ["text that is a list", mrkdwn(Array(21).fill("x")), text, ["invalid_type: must provide a string @ /x/text"]],
  ["text that is empty", plain(""), text, ["too_short: must be more than 0 characters @ /x/text"]],
  ["plain text that counts escaped", plain("&&&&"), text, []],
  [
    "plain text that counts escaped, one too long",
    plain("&&&&x"),
    text,
    ["too_long: must be less than 21 characters @ /x/text (chartLabel 20 21)"],
  ],
  ["mrkdwn that is escaped already", mrkdwn("&amp;".repeat(4)), text, []],
  [
    "mrkdwn one too long",
    mrkdwn("x".repeat(21)),
    text,
    ["too_long: must be less than 21 characters @ /x/text (chartLabel 20 21)"],
  ],
  [
    "emoji in mrkdwn",
    mrkdwn("x", { emoji: true }),
    text,
    ["unknown_property: invalid additional property: emoji @ /x"],
  ],
  [
    "verbatim in plain text",
    plain("x", { verbatim: true }),
    text,
    ["unknown_property: invalid additional property: verbatim @ /x"],
  ],
  [
    "verbatim as a word",
    mrkdwn("x", { verbatim: "yes" }),
    text,
    ["invalid_type: must provide a boolean @ /x/verbatim"],
  ],
  ["emoji as a word", plain("x", { emoji: "yes" }), text, ["invalid_type: must provide a boolean @ /x/emoji"]],
  ["an object", { type: "t", name: "n", flag: true }, { is: "object", shape }, []],
  ["an object that is a list", [], { is: "object", shape }, [noObject]],
  ["an object that is nothing", null, { is: "object", shape }, [noObject]],
  [
    "an object with everything wrong",
    { name: "no", flag: 1, more: 1 },
    { is: "object", shape },
    [
      "missing_field: missing required field: type @ /x",
      "invalid_type: must provide a boolean @ /x/flag",
      "unknown_property: invalid additional property: more @ /x",
      "named_no: must not be no @ /x",
    ],
  ],
  ["a tagged object", { type: "named", name: "n" }, tagged, []],
  ["a tagged object that is a word", "named", tagged, [noObject]],
  ["a tagged object that is nothing", null, tagged, [noObject]],
  ["a tagged object without a tag", { name: "n" }, tagged, ["missing_field: missing required field: type @ /x"]],
  ["a tag that nobody knows", { type: "other" }, tagged, ["unsupported_type: unsupported type: other @ /x"]],
  ["a tag that is a number", { type: 5 }, tagged, ["unsupported_type: unsupported type: 5 @ /x"]],
  ["a tag in a list", { type: ["bare"] }, tagged, ["unsupported_type: unsupported type: bare @ /x"]],
  ["a tag named like a method", { type: "toString" }, tagged, ["unsupported_type: unsupported type: toString @ /x"]],
  ["a tag that may stand here", { type: "bare" }, some, []],
  ["a tag that may not", { type: "named", name: "n" }, some, ["unsupported_type: unsupported type: named @ /x"]],
  ["a tagged object of another form", { type: "named" }, tagged, ["missing_field: missing required field: name @ /x"]],
];

describe("a rule", () => {
  it.each(cases)("%s", (_, value, rule, expected) => {
    expect(broken(value, rule)).toEqual(expected);
  });

  it("refuses a type that is not rolled out, and only that one", () => {
    const late = (value: unknown): string[] =>
      collected((context) => check(value, tagged, "/x", context), ["named", "later"]);
    expect(late({ type: "named", name: "n" })).toEqual(["unsupported_type: unsupported type: named @ /x"]);
    expect(late({ type: "bare" })).toEqual([]);
  });
});

describe("a shape", () => {
  const of = (value: object, kind: Shape = bare): string[] =>
    collected((context) => checkShape(value as Record<string, unknown>, kind, "/x", context));

  it("takes fields that are undefined for absent", () => {
    expect(of({ type: "t", more: undefined })).toEqual([]);
    expect(of({ type: "t", name: "n", flag: undefined }, shape)).toEqual([]);
    expect(of({ type: undefined })).toEqual(["missing_field: missing required field: type @ /x"]);
  });

  it("takes no field for known because every object has it", () => {
    expect(of({ type: "t", toString: 1 })).toEqual(["unknown_property: invalid additional property: toString @ /x"]);
  });
});

it.each([
  [20, "characters", []],
  [21, "characters", ["too_long: must be less than 21 characters @ /x (chartLabel 20 21)"]],
  [20, "items", []],
  [21, "items", ["too_many_items: no more than 20 items allowed @ /x (chartLabel 20 21)"]],
] as const)("%i %s against a limit of 20", (actual, of, expected) => {
  expect(collected((context) => checkMax(actual, "chartLabel", of, "/x", context))).toEqual(expected);
});

it("fields are objects, and neither lists nor null nor words", () => {
  expect([{}, { a: 1 }].every(isFields)).toBe(true);
  expect([[], null, undefined, "x", 5].some(isFields)).toBe(false);
});
