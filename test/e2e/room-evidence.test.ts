import fc from "fast-check";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { renderBlocks, renderText } from "../../src/slack/blocks/render.ts";
import { anyMessage, FC_RUNS } from "../slack/blocks/arbitrary.ts";
import { type RoomWithApp, startRoomWithApp } from "./room-app.ts";
import { launchBrowser, type Visit, visit } from "./room-browser.ts";

let browser: Browser;
let app: RoomWithApp;
let visited: Visit;
beforeAll(async () => {
  browser = await launchBrowser();
  app = await startRoomWithApp();
  visited = await visit(browser, app, "U0ANA");
  // As text: the test runner would rewrite an import.
  await visited.page.evaluate('import("/page/dom.js").then((module) => void (globalThis.shown = module))');
});
afterAll(async () => {
  await visited.close();
  await app.stop();
  await browser.close();
});

const viewer = { timeZone: "Europe/Berlin", nowMs: 1_795_000_000_000 };
/** Messages that go to the page in one turn. */
const AT_ONCE = 50;

it(`the page's own code makes no script of ${FC_RUNS} messages with any evidence`, { timeout: 900_000 }, async () => {
  let shown = 0;
  const property = fc.asyncProperty(
    fc.array(anyMessage, { minLength: AT_ONCE, maxLength: AT_ONCE }),
    async (messages) => {
      const trees = messages.flatMap(({ text, blocks }) => [
        renderBlocks(blocks, "message", viewer),
        renderText(text, viewer),
      ]);
      expect(await visited.page.evaluate(strangersIn, trees as never)).toEqual([]);
      shown += messages.length;
    },
  );
  await fc.assert(property, { numRuns: Math.ceil(FC_RUNS / AT_ONCE) });
  expect(shown).toBeGreaterThanOrEqual(FC_RUNS);
  expect(await visited.page.title()).toContain("Local room, not Slack");
  expect(visited.errors).toEqual([]);
});

it("the same look finds a script where there is one", async () => {
  const planted = { tag: "div", attrs: {}, children: ["<script></script>"] };
  expect(await visited.page.evaluate(strangersIn, [planted] as never)).toEqual([]);
  await visited.page.evaluate(`globalThis.shown = { fromRendered: markup }; ${MARKUP}`);
  expect(await visited.page.evaluate(strangersIn, [planted] as never)).toEqual([
    "script",
    "a href=javascript:1",
    "a onclick=x()",
  ]);
});

/** What a page that trusted its data would do. */
const MARKUP =
  "function markup() { const box = document.createElement('div'); box.innerHTML = " +
  '\'<script></script><a href="javascript:1" onclick="x()">x</a>\'; return box; }';

interface Place {
  append(child: unknown): void;
  remove(): void;
  querySelectorAll(
    selector: string,
  ): Iterable<{ localName: string; attributes: Iterable<{ name: string; value: string }> }>;
}
interface Shown {
  shown: { fromRendered(tree: unknown): unknown };
  document: { createElement(tag: string): Place; body: Place };
}

/** Runs in the browser: whatever of a message could run, load or lead elsewhere once it stands in the document. */
function strangersIn(trees: unknown[]): string[] {
  const { shown, document } = globalThis as unknown as Shown;
  const found: string[] = [];
  for (const tree of trees) {
    const box = document.createElement("div");
    document.body.append(box);
    box.append(shown.fromRendered(tree));
    for (const { localName, attributes } of box.querySelectorAll("*")) {
      if (/^(script|iframe|object|embed|link|meta|style|base|form|svg|math)$/.test(localName)) found.push(localName);
      for (const { name, value } of attributes) {
        const leads = /^(href|src|action|formaction|srcdoc|xlink:href|ping)$/.test(name);
        const ours = value === "https://room.example/i/1";
        if ((leads && !ours) || /^(on|style$|srcset$)/.test(name)) found.push(`${localName} ${name}=${value}`);
      }
    }
    box.remove();
  }
  return found;
}
