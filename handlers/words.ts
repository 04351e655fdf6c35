import { nearest } from "../src/config/read-yaml.ts";
import { unescapeMrkdwn } from "../src/slack/blocks/encode.ts";

/**
 * What a person typed, as they meant it: Slack's `<@U1|ana>`, `<#C1|web>` and `<http://web|web>` become their labels,
 * its entities become characters again. Still data: it is only compared and shown literally.
 */
export function typedText(text: string): string {
  const labelled = text.replace(/<([^<>|]*)(?:\|([^<>]*))?>/g, (_whole, target: string, label?: string) => {
    if (label) return label;
    return target.replace(/^(mailto:|https?:\/\/)/, "").replace(/^[@#!]/, "");
  });
  return unescapeMrkdwn(labelled).trim();
}

/** Words without the quotes, backticks and invisible characters that come along when something is pasted. */
export function wordsOf(text: string): string[] {
  return text
    .replace(/[\u200B-\u200F\u2060\uFEFF]/g, "")
    .split(/\s+/)
    .map((word) => word.replace(/^[`'"“”‘’*_~]+|[`'"“”‘’*~?!,;]+$/g, ""))
    .filter((word) => word !== "");
}

export type AskedFor =
  | { ask: { service: string; host: string | null } }
  | { help: true }
  /** Not understood; `meant` is a whole line that would be. */
  | { unclear: string; meant: string };

/** `<service> [on <host>]`, in any spacing and with the usual wrappings. */
export function parseAsk(command: string, text: string): AskedFor {
  const words = wordsOf(text);
  const [service, second, third] = words;
  if (service === undefined || /^(help|\?|-h|--help)$/i.test(service)) return { help: true };
  if (second === undefined) return { ask: { service, host: null } };
  if (/^(on|at|@)$/i.test(second)) {
    if (third === undefined) return { unclear: `No host stands after "${second}".`, meant: `${command} ${service}` };
    if (words.length === 3) return { ask: { service, host: third } };
    return {
      unclear: `More stands after the host: "${words.slice(3).join(" ")}".`,
      meant: `${command} ${service} on ${third}`,
    };
  }
  const host = words.length === 2 ? ` on ${second}` : "";
  return {
    unclear: `Only one service can be asked about at a time; there are ${words.length} words.`,
    meant: `${command} ${service}${host}`,
  };
}

/** The known word that was meant; null when none is near. */
export function meantWord(word: string, known: readonly string[]): string | null {
  return nearest(word, known);
}

const units: Record<string, number> = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `768m`, `1.5g`, `1 GiB`, `805306368`, in Docker's units of 1,024. Null for anything else. */
export function parseMemory(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim());
  const unit = units[(match?.[2] ?? "").toLowerCase()];
  if (!match || unit === undefined) return null;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}

/** An incident's id as people type it. */
export const isIncidentId = (word: string) => /^i-[a-z0-9]{4,20}$/i.test(word);
