import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { installPackages } from "../lab/apt.ts";
import type { planCard, RoomWithApp } from "./room-app.ts";

export const CHANNEL = "C0INCIDENTS";
const artifacts = new URL("../../test-artifacts/", import.meta.url);
const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Debian's Chromium, with a font for emoji; installed where it is missing and the machine is ours to change. */
export async function launchBrowser(): Promise<Browser> {
  if (!existsSync(executablePath)) await installPackages(["chromium", "fonts-noto-color-emoji"], console.error);
  await mkdir(artifacts, { recursive: true });
  return chromium.launch({
    executablePath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Whatever shows the page: the small test app or the whole program. */
export interface Visitable {
  room: { url: string };
}

export interface Visit {
  page: Page;
  /** What went wrong in the page, scripts refused by the CSP included. */
  errors: string[];
  close(): Promise<void>;
}

/** The page as one person sees it, in a browser of their own. */
export async function visit(
  browser: Browser,
  app: Visitable,
  actor: string,
  options: BrowserContextOptions = {},
  at = "",
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("ERR_")) errors.push(message.text());
  });
  await page.goto(`${app.room.url}/?actor=${actor}#${CHANNEL}${at}`);
  await page.getByRole("heading", { level: 1, name: "#incidents" }).waitFor();
  return { page, errors, close: () => context.close() };
}

export const shot = (page: Page, name: string) =>
  page.screenshot({ path: new URL(`room-${name}.png`, artifacts).pathname });
export const message = (page: Page, text: string) => page.locator("#stream article", { hasText: text });
export const composer = (page: Page) => page.getByRole("textbox", { name: "Message #incidents" });

export async function post(
  app: RoomWithApp,
  text: string,
  blocks?: ReturnType<typeof planCard>,
  threadTs?: string,
): Promise<string> {
  const answer = await app.slack.chat.postMessage({
    channel: CHANNEL,
    text,
    unfurl_links: false,
    unfurl_media: false,
    ...(blocks ? { blocks } : {}),
    ...(threadTs ? { thread_ts: threadTs } : {}),
  } as Parameters<typeof app.slack.chat.postMessage>[0]);
  return answer.ts as string;
}

/** Findings of axe that keep somebody out. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(axeFile, "utf8"));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    interface Violation {
      id: string;
      impact: string;
      nodes: { html: string }[];
    }
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  });
}
