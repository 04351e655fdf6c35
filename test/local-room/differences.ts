type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Where a payload has another shape than a sample, one line for each field: a field that is missing, one that the
 * sample does not know, one of another JSON type, and a string of another form. The form of a string is what it is in
 * Slack's payloads: an id with its letter, a timestamp, a URL, a handle. Lists are compared with the sample's elements,
 * one by one where both are as long, else each with the first.
 */
export function differences(actual: unknown, sample: unknown, at = ""): string[] {
  return compare(asSent(actual), asSent(sample), at);
}

/** What arrives: JSON knows no undefined. */
const asSent = (value: unknown) => JSON.parse(JSON.stringify(value)) as Json;

function compare(actual: Json, sample: Json, at: string): string[] {
  if (kindOf(actual) !== kindOf(sample)) return [`${at}: ${kindOf(actual)}, not ${kindOf(sample)}`];
  if (Array.isArray(actual) && Array.isArray(sample)) return compareLists(actual, sample, at);
  if (!isObject(actual) || !isObject(sample)) return [];
  const missing = Object.keys(sample).filter((name) => actual[name] === undefined);
  const more = Object.keys(actual).filter((name) => sample[name] === undefined);
  // An object by id has other names in it everywhere.
  const [only, more0] = [missing[0], more[0]];
  if (missing.length === 1 && more.length === 1 && only && more0 && isId(only) && isId(more0)) {
    return compare(actual[more0] as Json, sample[only] as Json, `${at}/${more0}`);
  }
  const shared = Object.keys(sample).filter((name) => actual[name] !== undefined);
  return [
    ...missing.map((name) => `${at}/${name}: missing`),
    ...more.map((name) => `${at}/${name}: not documented`),
    ...shared.flatMap((name) => compare(actual[name] as Json, sample[name] as Json, `${at}/${name}`)),
  ];
}

function compareLists(actual: Json[], sample: Json[], at: string): string[] {
  const [first] = sample;
  if (first === undefined) return actual.length === 0 ? [] : [`${at}: not empty`];
  if (actual.length === 0) return [`${at}: empty`];
  const pairs = actual.map((item, index): [Json, Json] => [
    item,
    (actual.length === sample.length && sample[index]) || first,
  ]);
  return pairs.flatMap(([item, like], index) => compare(item, like, `${at}/${index}`));
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isId = (text: string) => /^[A-Z][A-Z0-9]{3,}$/.test(text);

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  return typeof value === "string" ? `text (${formOf(value)})` : typeof value;
}

const FORMS: readonly (readonly [form: string, pattern: RegExp])[] = [
  ["timestamp", /^\d{10}\.\d{6}$/],
  ["view hash", /^\d{10}\.[0-9a-f]{8}$/],
  ["trigger", /^\d+\.\d+\.[0-9a-f]{16,}$/],
  ["event id", /^Ev[0-9A-Z]{6,}$/],
  ["envelope id", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  ["web address", /^https?:\/\//],
  ["socket address", /^wss?:\/\//],
];

function formOf(text: string): string {
  const form = FORMS.find(([, pattern]) => pattern.test(text))?.[0];
  if (form !== undefined) return form;
  return isId(text) ? `id ${text[0]}` : "words";
}
