/** Tokens that are known by their own form, whatever stands before them. */
export function maskTokens(text: string): string {
  return text.replace(tokens, "[redacted]");
}

/**
 * Masks private key blocks line by line, so that the number of lines stays. A block that never ends is masked as long
 * as its lines look like one.
 */
export function maskKeyBlocks(text: string): string {
  let begin = text.indexOf(beginMark);
  if (begin < 0) return text;
  let masked = "";
  let done = 0;
  let end = 0;
  while (begin >= 0) {
    const header = text.slice(begin, begin + 80);
    if (!header.includes("PRIVATE KEY")) {
      begin = text.indexOf(beginMark, begin + beginMark.length);
      continue;
    }
    // Looked for again only when passed, otherwise many beginnings with one far end would take square time.
    if (end >= 0 && end <= begin) end = text.indexOf(endMark, begin);
    const stop = end >= 0 && end - begin < longestBlock ? endOfMark(text, end) : endOfBody(text, begin);
    masked += text.slice(done, begin) + text.slice(begin, stop).replace(/[^\n]+/g, "[redacted]");
    done = stop;
    begin = text.indexOf(beginMark, stop);
  }
  return masked + text.slice(done);
}

const beginMark = "-----BEGIN ";
const endMark = "-----END ";
const longestBlock = 32_768;

const tokens = new RegExp(
  [
    "(?<=\\bBearer[ \\t]{1,4})[\\w.~+/=-]{8,}",
    "(?<=\\bBasic[ \\t]{1,4})[A-Za-z0-9+/]{12,}={0,2}",
    "\\beyJ[\\w-]{8,}\\.[\\w-]{4,}(?:\\.[\\w-]*)?",
    "\\b(?:AKIA|ASIA)[0-9A-Z]{16}\\b",
    "\\bxox[a-z](?:\\.[a-z]+)?-[\\w-]{8,}",
    "\\bxapp-[\\w-]{8,}",
    "\\bgh[pousr]_[A-Za-z0-9]{16,}",
    "\\bgithub_pat_\\w{16,}",
    "\\bglpat-[\\w-]{16,}",
    "\\bsk-[\\w-]{20,}",
    "\\b[sr]k_(?:live|test)_\\w{16,}",
    "\\bAIza[\\w-]{30,}",
    "\\bnpm_[A-Za-z0-9]{30,}",
    "hooks\\.slack\\.com/(?:services|workflows)/[\\w/]+",
  ].join("|"),
  "g",
);

function endOfMark(text: string, end: number): number {
  const close = text.indexOf("-----", end + endMark.length);
  return close >= 0 && close - end < 80 ? close + 5 : Math.min(text.length, end + endMark.length);
}

function endOfBody(text: string, begin: number): number {
  const body = /[^\n]*(?:\n[A-Za-z0-9+/=:, -]{1,100}(?=\n|$))*/y;
  body.lastIndex = begin;
  return begin + (body.exec(text)?.[0].length ?? 0);
}
