/** Narrow views on parsed JSON of an engine: what is missing or of another type is null or empty, never a crash. */
export type Json = Record<string, unknown>;

export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function textOrNull(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

export function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return list(value).filter((item) => typeof item === "string");
}

export function flag(value: unknown): boolean {
  return value === true;
}

export function flagOrNull(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

export function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Engines write 0 where a limit is not set. */
export function positive(value: unknown): number | null {
  const found = number(value);
  return found !== null && found > 0 ? found : null;
}

export function textMap(value: unknown): Record<string, string> {
  const entries = Object.entries(object(value)).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(entries);
}

/** Engines write the year 1 for "never" (and Podman sometimes an empty text); both are null. */
export function timeMs(value: unknown): number | null {
  if (typeof value !== "string" || value === "" || value.startsWith("0001-")) return null;
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) || parsed <= 0 ? null : parsed;
}

/** `8000/tcp` */
export function portOf(key: string): { port: number; protocol: string } | null {
  const match = /^(\d{1,5})(?:\/(\w+))?$/.exec(key);
  return match === null ? null : { port: Number(match[1]), protocol: match[2] ?? "tcp" };
}
