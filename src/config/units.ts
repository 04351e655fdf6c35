const secondsPer = { ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** `30m`, `1h`, `90s`, `2d`, `500ms`: one number and one unit. Null for anything else. */
export function parseDurationMs(text: string): number | null {
  const found = /^(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  if (!found) return null;
  return Math.round(Number(found[1]) * secondsPer[found[2] as keyof typeof secondsPer] * 1_000);
}

/** `8g`, `512m`, `1.5gb`, `1073741824`: binary units, as the docker command reads them. Null for anything else. */
export function parseSizeBytes(text: string): number | null {
  const found = /^(\d{1,15}(?:\.\d{1,3})?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (!found) return null;
  const power = ["", "k", "m", "g", "t"].indexOf((found[2] as string).toLowerCase().replace("b", ""));
  const bytes = Math.round(Number(found[1]) * 1_024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
