import { describe, expect, it } from "vitest";
import {
  cutToLength,
  escapedLength,
  escapeMrkdwn,
  inertMrkdwn,
  plain,
  unescapeMrkdwn,
  visible,
} from "../../../src/slack/blocks/encode.ts";

describe("mrkdwn escaping", () => {
  it("escapes the three characters once, and nothing else", () => {
    expect(escapeMrkdwn(`<!here> & "x" 'y'`)).toBe(`&lt;!here&gt; &amp; "x" 'y'`);
    expect(escapeMrkdwn("&lt;")).toBe("&amp;lt;");
    expect(unescapeMrkdwn("&amp;lt; &lt;&gt; &quot; &#60;")).toBe("&lt; <> &quot; &#60;");
  });
});

describe("hidden characters", () => {
  it.each([
    ["\u001b[31m", "\\x1b[31m"],
    ["\u0000", "\\x00"],
    ["\u0085", "\\x85"],
    ["\u061c", "\\u061c"],
    ["\u202e", "\\u202e"],
    ["\u2066", "\\u2066"],
    ["\u200b", "\\u200b"],
    ["\ufeff", "\\ufeff"],
    ["\u00ad", "\\xad"],
    ["\u{e0041}", "\\u{e0041}"],
    ["\ud83d", "\\ud83d"],
    ["\ude00x", "\\ude00x"],
    ["a\r\nb\tc\rd", "a\\r\\nb\\tc\\rd"],
  ])("%j is shown as %s", (text, shown) => {
    expect(plain(text)).toBe(shown);
  });

  it("lines and tabs stay where lines are kept, and a lone carriage return does not overwrite one", () => {
    expect(visible("a\r\nb\tc\rd\u2028e", "keep")).toBe("a\nb\tc\\rd\\u2028e");
  });

  it("letters of all scripts, emoji and combining marks are left alone", () => {
    const text = "größe 内存 🔥 e\u0301 ❤️";
    expect(plain(text)).toBe(text);
  });
});

describe("data in mrkdwn", () => {
  it.each([
    ["my_db and a*b*c", "my_db and a*b*c"],
    ["*bold*", "∗bold∗"],
    ["_private", "ˍprivate"],
    ["a _b_ (_c_) 1_2", "a ˍbˍ (ˍcˍ) 1_2"],
    ["~gone~", "∼gone∼"],
    ["`rm`", "ˋrmˋ"],
    ["> quote", "› quote"],
    [":fire: 12:34:56 :100:", "∶fire: 12:34:56 ∶100:"],
    ["<!here>\nApproved by @ana", "&lt;!here&gt;\\nApproved by @ana"],
  ])("%j becomes %j", (text, inert) => {
    expect(inertMrkdwn(text)).toBe(inert);
  });
});

describe("cutToLength", () => {
  it("returns what fits as it is, to the last unit", () => {
    expect(cutToLength("12345", 5)).toBe("12345");
    expect(cutToLength("<<", 8)).toBe("<<");
    expect(cutToLength("", 0)).toBe("");
  });

  it("says how much is missing", () => {
    expect(cutToLength("x".repeat(12_500), 100)).toBe(`${"x".repeat(76)}… 12,424 more characters`);
  });

  it("counts escaped units", () => {
    const cut = cutToLength("&".repeat(100), 60);
    expect(cut).toMatch(/^&{7}… 93 more characters$/);
    expect(escapedLength(cut)).toBeLessThanOrEqual(60);
  });

  it("never splits a family, a flag or an accent", () => {
    const cut = (text: string, max: number): string => cutToLength(text, max, () => "|");
    expect(cut("👩‍👩‍👧👩‍👩‍👧", 12)).toBe("👩‍👩‍👧|");
    expect(cut("🇩🇪🇫🇷🇯🇵", 8)).toBe("🇩🇪|");
    expect(cut("ae\u0301e\u0301", 4)).toBe("ae\u0301|");
    expect(cut("👍👍", 2)).toBe("…");
    // Far from the start too, where only a window of the text is looked at.
    for (const before of [127, 128, 129, 500]) {
      const text = "x".repeat(before);
      expect(cut(`${text}👩‍👩‍👧👩‍👩‍👧`, before + 12)).toBe(`${text}👩‍👩‍👧|`);
      expect(cut(`${text}ae\u0301e\u0301`, before + 4)).toBe(`${text}ae\u0301|`);
    }
  });

  it("cuts a pile of accents between code points when no grapheme ends near", () => {
    const pile = `x${"\u0301".repeat(2_000)}`;
    expect(cutToLength(pile, 1_000, () => "|")).toBe(`x${"\u0301".repeat(998)}|`);
    const astral = `x${"\u{1d167}".repeat(1_000)}`;
    expect(cutToLength(astral, 1_001, () => "|")).toBe(`x${"\u{1d167}".repeat(499)}|`);
  });

  it("falls back to an ellipsis, then to nothing, where the mark itself has no room", () => {
    expect(cutToLength("x".repeat(50), 10)).toBe(`${"x".repeat(9)}…`);
    expect(cutToLength("x".repeat(50), 1)).toBe("…");
    expect(cutToLength("x", 0)).toBe("");
  });

  it("takes a line of 10 MB as it takes any other", () => {
    // One short of 3,000: the mark might have needed one digit more.
    const line = "é".repeat(10_000_000);
    for (let times = 0; times < 1_000; times++) expect(cutToLength(line, 3_000)).toHaveLength(2_999);
  });
});
