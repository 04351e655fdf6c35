import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { fields, header, input, preformatted, section } from "../../../src/slack/blocks/build.ts";
import { option, plainTextInput, staticSelect } from "../../../src/slack/blocks/build-elements.ts";
import { home, modal } from "../../../src/slack/blocks/build-views.ts";
import { countedLength } from "../../../src/slack/blocks/count.ts";
import { degrade } from "../../../src/slack/blocks/degrade.ts";
import {
  cutToLength,
  escapedLength,
  escapeMrkdwn,
  inertMrkdwn,
  plain,
  unescapeMrkdwn,
} from "../../../src/slack/blocks/encode.ts";
import { bold, code, data, fmt, link, type Rich, toMrkdwn, toPlain } from "../../../src/slack/blocks/inline.ts";
import { LIMITS } from "../../../src/slack/blocks/limits.ts";
import { message } from "../../../src/slack/blocks/message.ts";
import { type MrkdwnNode, notifications, parseMrkdwn } from "../../../src/slack/blocks/mrkdwn.ts";
import {
  RENDER_ATTRIBUTES,
  RENDER_TAGS,
  type RenderNode,
  renderBlocks,
  renderText,
  renderView,
  toHtml,
} from "../../../src/slack/blocks/render.ts";
import { validateMessage, validateView } from "../../../src/slack/blocks/validate.ts";
import { anyMessage, evidenceText, FC_RUNS, runsIn } from "./arbitrary.ts";

// Ten thousand cases on a shared machine take longer than the default.
vi.setConfig({ testTimeout: 480_000 });
const RUNS = { numRuns: FC_RUNS };
const VIEWER = { timeZone: "Europe/Berlin", nowMs: 1_795_000_000_000 };
const NEWER = ["container", "table", "task_card"];

describe(`any evidence text, ${FC_RUNS} cases`, () => {
  it("becomes a message that Slack takes, inside the budget, and that notifies nobody", () => {
    fc.assert(
      fc.property(anyMessage, ({ text, blocks }) => {
        const payload = { text, blocks };
        expect(
          validateMessage(payload, {
            strictText: true,
            totalBudget: LIMITS.messageBudgetBuilt,
          }),
        ).toEqual([]);
        expect(notifications(payload)).toEqual([]);
        expect(blocks.some((one) => one.type === "actions")).toBe(true);
      }),
      RUNS,
    );
  });

  it("is told in full in the overflow when anything was cut", () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        const log = preformatted(text);
        const { overflow } = message({ text: "t", blocks: [log] });
        if (overflow === null) expect(logText(log)).toBe(text === "" ? "(empty)" : visibleLines(text));
        else expect(overflow).toContain(visibleLines(text));
      }),
      RUNS,
    );
  });

  it("still fits, notifies nobody and keeps its buttons in the older form", () => {
    fc.assert(
      fc.property(anyMessage, ({ text, blocks }) => {
        const payload = { text, blocks: degrade(blocks, NEWER) };
        expect(validateMessage(payload, { unsupportedTypes: NEWER })).toEqual([]);
        expect(notifications(payload)).toEqual([]);
        expect(payload.blocks.some((one) => one.type === "actions")).toBe(true);
      }),
      RUNS,
    );
  });

  it("becomes a page of known tags and attributes, without script and without its own links", () => {
    fc.assert(
      fc.property(anyMessage, ({ text, blocks }) => {
        for (const node of [renderBlocks(blocks, "message", VIEWER), renderText(text, VIEWER)]) {
          expectInert(node);
          expect(hrefs(node).filter((href) => href !== "https://room.example/i/1")).toEqual([]);
          expectOnlyOurTags(toHtml(node));
        }
      }),
      RUNS,
    );
  });

  it("fills a Home view no further than it holds", () => {
    const view = home(Array.from({ length: 300 }, () => section("é".repeat(2_900))));
    expect(validateView(view)).toEqual([]);
    expect(JSON.stringify(view.blocks.at(-1))).toMatch(/\d+ more blocks are not shown/);
  });

  it("becomes a modal and a Home view that Slack takes", () => {
    fc.assert(
      fc.property(evidenceText, evidenceText, (text, other) => {
        const ask = input(text, plainTextInput({ actionId: "a", initial: other, placeholder: text }), {
          blockId: "reason",
        });
        const pick = staticSelect({
          actionId: "b",
          options: [option(text, "v1", other), option(other, "v2")],
          initial: "v2",
        });
        const asModal = modal({
          title: text,
          submit: other,
          callbackId: "c",
          blocks: [ask, input(other, pick, { blockId: "pick", hint: text })],
        });
        const asHome = home([section(text), header(other), fields([[text, other]])]);
        for (const view of [asModal, asHome]) {
          expect(validateView(view)).toEqual([]);
          expectInert(renderView(view, VIEWER));
        }
      }),
      RUNS,
    );
  });
});

describe(`encoders, ${FC_RUNS} cases`, () => {
  it("escaping round-trips", () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        expect(unescapeMrkdwn(escapeMrkdwn(text))).toBe(text);
        expect(escapedLength(text)).toBe(escapeMrkdwn(text).length);
      }),
      RUNS,
    );
  });

  it("escaped text parses to nothing that is live", () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        const kinds = kindsOf(parseMrkdwn(escapeMrkdwn(text)));
        expect(
          kinds.filter(
            (kind) => !["text", "bold", "italic", "strike", "quote", "code", "fence", "emoji"].includes(kind),
          ),
        ).toEqual([]);
      }),
      RUNS,
    );
  });

  it("data in mrkdwn does not even format: it parses to the one text that is shown", () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        const nodes = parseMrkdwn(inertMrkdwn(text));
        expect(kindsOf(nodes)).toEqual(text === "" ? [] : ["text"]);
        expect(nodes.map((node) => (node.kind === "text" ? node.text.length : 0)).reduce((a, b) => a + b, 0)).toBe(
          plain(text).length,
        );
      }),
      RUNS,
    );
  });

  it("a cut is never longer than asked, keeps a prefix, and splits no grapheme", () => {
    fc.assert(
      fc.property(evidenceText, fc.integer({ min: 1, max: 4_000 }), (text, max) => {
        const cut = cutToLength(text, max);
        expect(escapedLength(cut)).toBeLessThanOrEqual(max);
        if (escapedLength(text) <= max) expect(cut).toBe(text);
        else expect(cut).toMatch(/…( [\d,]+ more characters)?$/);
        const kept = cut === text ? text : cut.replace(/…( [\d,]+ more characters)?$/, "");
        expect(text.startsWith(kept)).toBe(true);
        expect(text.length - kept.length === 0 || /\S/.test(cut)).toBe(true);
      }),
      RUNS,
    );
  });

  it("cut mrkdwn is closed: what is cut parses like what is whole", () => {
    const line = fc
      .array(
        fc.tuple(
          evidenceText,
          fc.constantFrom<(text: string) => Rich>(data, bold, code, (text) => link("https://room.example/i/1", text)),
        ),
        { maxLength: 4 },
      )
      .map((parts) => ({
        parts: parts.flatMap(([text, make]) => fmt`${make(text)} `.parts),
      }));
    fc.assert(
      fc.property(line, fc.integer({ min: 40, max: 3_000 }), (value, max) => {
        const cut = toMrkdwn(value, max);
        expect(cut.text.length).toBeLessThanOrEqual(max);
        expect(cut.wasCut || toPlain(value).length <= max).toBe(true);
        const live = kindsOf(parseMrkdwn(cut.text, { verbatim: true }));
        expect(live.filter((kind) => !["text", "bold", "code", "link"].includes(kind))).toEqual([]);
      }),
      RUNS,
    );
  });
});

it("runs ten thousand cases of every property in CI", () => {
  expect([runsIn({ CI: "true" }), runsIn({}), runsIn({ CI: "true", ROOM137_FC_RUNS: "25" })]).toEqual([
    10_000, 1_000, 25,
  ]);
});

it("counts nothing that people cannot read", () => {
  const quiet = {
    type: "actions",
    block_id: "b".repeat(200),
    elements: [{ type: "button", value: "v".repeat(500) }],
  };
  expect(countedLength([quiet])).toBe(0);
});

function visibleLines(text: string): string {
  return text
    .split(/\r\n|\n/)
    .map((line) => line.split("\t").map(plain).join("\t"))
    .join("\n");
}

function logText(log: ReturnType<typeof preformatted>): string {
  const part = log.elements[0];
  const run = part?.type === "rich_text_preformatted" ? part.elements[0] : undefined;
  return run?.type === "text" ? run.text : "";
}

function kindsOf(nodes: readonly MrkdwnNode[]): string[] {
  return nodes.flatMap((node) => [node.kind, ...("children" in node ? kindsOf(node.children) : [])]);
}

function expectInert(node: RenderNode): void {
  expect(strangers(node)).toEqual([]);
}

const TAGS = new Set<string>(RENDER_TAGS);
const ATTRIBUTES = new Set<string>(RENDER_ATTRIBUTES);

/** Tags and attributes that are not in the closed sets. */
function strangers(node: RenderNode): string[] {
  const own = [
    ...(TAGS.has(node.tag) ? [] : [node.tag]),
    ...Object.keys(node.attrs).filter((name) => !ATTRIBUTES.has(name)),
  ];
  return [...own, ...node.children.flatMap((child) => (typeof child === "string" ? [] : strangers(child)))];
}

function hrefs(node: RenderNode): string[] {
  const own = [node.attrs.href, node.attrs.src].filter((url) => url !== undefined);
  return [...own, ...node.children.flatMap((child) => (typeof child === "string" ? [] : hrefs(child)))];
}

const OUR_TAG = new RegExp(`</?(?:${RENDER_TAGS.join("|")})(?: [a-z-]+="[^"<>]*")*>`, "g");

/** Reads the HTML with an eye of its own: outside of our tags there is no bracket and no quote left. */
function expectOnlyOurTags(html: string): void {
  expect(/[<>"']/.exec(html.replace(OUR_TAG, ""))).toBeNull();
}
