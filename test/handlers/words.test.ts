import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { guessServices } from "../../handlers/shortcuts.ts";
import { isIncidentId, parseAsk, parseMemory, typedText, wordsOf } from "../../handlers/words.ts";

describe("what is asked", () => {
  it.each([
    ["web", "web", null],
    ["  web  ", "web", null],
    ["`web`", "web", null],
    ["*web*", "web", null],
    ["“web”", "web", null],
    ["web?", "web", null],
    ["web on prod-1", "web", "prod-1"],
    ["web   ON\tprod-1", "web", "prod-1"],
    ["web\u200b at prod-1.", "web", "prod-1."],
    ["Web_2.blue on prod-1", "Web_2.blue", "prod-1"],
    ["<#C0WEB|web> on prod-1", "web", "prod-1"],
    ["<@U0WEB|web>", "web", null],
    ["<http://web.example|web.example>", "web.example", null],
    ["<http://web.example>", "web.example", null],
    ["a&amp;b", "a&b", null],
    ["on", "on", null],
  ])("%j is about %s on %s", (text, service, host) => {
    expect(parseAsk("/why", typedText(text))).toEqual({ ask: { service, host } });
  });

  it.each(["", "   ", "help", "HELP", "?", "-h", "--help", "``"])("%j is a call for help", (text) => {
    expect(parseAsk("/why", typedText(text))).toEqual({ help: true });
  });

  it.each([
    ["web prod-1", "/why web on prod-1"],
    ["web on", "/why web"],
    ["web on prod-1 please", "/why web on prod-1"],
    ["why is web so slow", "/why why"],
  ])("%j is answered with what was probably meant", (text, meant) => {
    expect(parseAsk("/why", text)).toMatchObject({ meant });
  });

  it("never throws and never invents a word, whatever is typed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const parsed = parseAsk("/why", typedText(text));
        if ("ask" in parsed) expect(typedText(text)).toContain(parsed.ask.service);
        expect(wordsOf(text).every((word) => text.includes(word) || /[\u200B-\u200F\u2060\uFEFF]/.test(text))).toBe(
          true,
        );
      }),
    );
  });
});

describe("sizes", () => {
  it.each([
    ["768m", 768 * 1024 ** 2],
    ["768 MiB", 768 * 1024 ** 2],
    ["1.5G", 1.5 * 1024 ** 3],
    ["2gb", 2 * 1024 ** 3],
    ["805306368", 805306368],
    ["1b", 1],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseMemory(text)).toBe(bytes);
  });

  it.each(["", "m", "-1g", "1e9", "1,5g", "0", "0m", "12 parsecs", "9999999999t", "NaN", "1g; rm"])(
    "%j is none",
    (text) => {
      expect(parseMemory(text)).toBeNull();
    },
  );
});

describe("guesses", () => {
  it.each([
    ["`web` answers 500 since the deploy", ["web"]],
    ["the checkout-api is down, db:5432 refuses", ["checkout-api", "db"]],
    ["service billing keeps restarting", ["billing"]],
    ["is anybody there?", []],
    ["The service is broken", []],
  ])("%j names %j", (text, names) => {
    expect(guessServices(text)).toEqual(names);
  });

  it("are bounded, also for hostile text", () => {
    expect(guessServices("a-b ".repeat(100_000))).toEqual(["a-b"]);
    expect(guessServices(Array.from({ length: 50 }, (_, index) => `svc-${index}`).join(" "))).toHaveLength(5);
  });
});

it("tells incident ids from words", () => {
  expect(["i-4f2k9a", "I-4F2K9A", "note", "export", "i-", "i-4f2;x"].map(isIncidentId)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
