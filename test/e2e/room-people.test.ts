import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { changeModal, planCard, preformatted, type RoomWithApp, section, startRoomWithApp } from "./room-app.ts";
import {
  barriers,
  CHANNEL,
  composer,
  launchBrowser,
  message,
  post,
  shot,
  type Visit,
  type Visitable,
  visit,
} from "./room-browser.ts";

let browser: Browser;
let app: RoomWithApp;
let visits: Visit[] = [];

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());
beforeEach(async () => {
  visits = [];
  app = await startRoomWithApp();
});
afterEach(async () => {
  await Promise.all(visits.map((each) => each.close()));
  await app.stop();
  expect(visits.flatMap(({ errors }) => errors)).toEqual([]);
});

async function open(...rest: Parameters<typeof visit> extends [Browser, Visitable, ...infer Rest] ? Rest : never) {
  const made = await visit(browser, app, ...rest);
  visits.push(made);
  return made.page;
}

describe("two people and a plan", () => {
  it("one asks, the other approves in a confirm dialog, both see what came of it", async () => {
    const [ana, ben] = [await open("U0ANA"), await open("U0BEN", { colorScheme: "dark" })];
    await composer(ana).fill("/why-500 web");
    await composer(ana).press("Enter");
    await app.payload(({ command }) => command === "/why-500");
    const ts = await post(app, "web answers 500: db was killed", planCard());
    await post(app, "Evidence e1", [preformatted("memory: usage 524288kB, limit 524288kB, failcnt 1842")] as never, ts);
    await message(ana, "Plan").waitFor();
    await shot(ana, "light");

    await ben.getByRole("button", { name: "Approve" }).click();
    const dialog = ben.getByRole("dialog", { name: "Run this plan?" });
    expect(await dialog.getByText("1 GiB").evaluate((bold) => bold.tagName)).toBe("B");
    await ben.keyboard.press("Escape");
    expect(await ben.getByRole("button", { name: "Approve" }).evaluate((it) => it.matches(":focus"))).toBe(true);
    await ben.keyboard.press("Enter");
    // A second Enter by a tired hand means no.
    await ben.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await ben.keyboard.press("Enter");
    await shot(ben, "confirm-dark");
    await dialog.getByRole("button", { name: "Approve" }).click();
    const click = await app.payload(({ actions }) => actions?.[0]?.action_id === "approve");
    expect(click.user?.id).toBe("U0BEN");
    await app.slack.chat.update({
      channel: CHANNEL,
      ts,
      text: "Approved by Ben",
      blocks: [section("Approved by <@U0BEN>")],
    });
    for (const page of [ana, ben]) {
      await message(page, "Approved by @Ben").waitFor();
      expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
    }
  });

  it("switches who acts on one page", async () => {
    const page = await open("U0ANA");
    await page.getByRole("button", { name: /You are: Ana · switch/ }).click();
    await page.getByRole("menuitemradio", { name: /Ben/ }).click();
    await page.getByRole("button", { name: /You are: Ben/ }).waitFor();
    await composer(page).fill("Ben speaking");
    await composer(page).press("Enter");
    await page.getByRole("article", { name: /^Ben, / }).waitFor();
  });

  it("says what is wrong when the app does not answer, and keeps what was typed", async () => {
    const page = await open("U0ANA");
    app.room.freeze();
    let release = () => {};
    app.onPayload(
      () =>
        new Promise((resolve) => {
          release = () => resolve(null);
        }),
    );
    await composer(page).fill("/hosts check prod-1");
    await composer(page).press("Enter");
    await page.locator("#composer-input-hint", { hasText: "Sending…" }).waitFor();
    await app.room.advance(3_100);
    await page.getByRole("alert").filter({ hasText: /\S/ }).waitFor();
    expect(await composer(page).inputValue()).toBe("/hosts check prod-1");
    release();
  });
});

describe("with access tokens", () => {
  it("acts as the token's person, whoever the address names, and offers no switch", async () => {
    await app.stop();
    app = await startRoomWithApp(0, { "a-long-secret": "U0BEN" });
    const context = await browser.newContext();
    const page = await context.newPage();
    expect((await page.goto(app.room.url))?.status()).toBe(401);
    await page.goto(`${app.room.url}/?access=a-long-secret`);
    expect(page.url()).not.toContain("secret");
    await page.goto(`${app.room.url}/?actor=U0ANA`);
    await page.getByRole("button", { name: "You are: Ben", exact: true, disabled: true }).waitFor();
    await composer(page).fill("hello");
    await composer(page).press("Enter");
    await page.getByRole("article", { name: /^Ben, / }).waitFor();
    await context.close();
  });
});

describe("modals", () => {
  it("checks fields, shows the app's own errors, stacks, and gives the focus back", async () => {
    app.onPayload(async (payload) => {
      if (payload.actions?.[0]?.action_id === "change") {
        await app.slack.views.open({ trigger_id: payload.trigger_id as string, view: changeModal() });
        return null;
      }
      if (payload.type !== "view_submission" || payload.view?.callback_id !== "change") return null;
      const mib = payload.view.state.values["memory"]?.["mib"]?.value;
      if (mib === "700") return { response_action: "errors", errors: { memory: "700 MiB would be killed again." } };
      return {
        response_action: "push",
        view: {
          type: "modal",
          callback_id: "sure",
          title: { type: "plain_text", text: "Sure?" },
          blocks: [section(`${mib} MiB`)],
        },
      };
    });
    const page = await open("U0ANA");
    await post(app, "plan", planCard());
    await page.getByRole("button", { name: "Change…" }).click();
    const modal = page.getByRole("dialog", { name: "Change the memory" });
    const memory = modal.getByLabel("New memory limit, MiB");
    await memory.fill("5");
    await modal.getByRole("button", { name: "Save the change" }).click();
    await modal.getByText("Please write 614 or more.").waitFor();
    await modal.getByText("Please fill in this field.").waitFor();
    expect(await memory.evaluate((field) => field.matches(":focus"))).toBe(true);
    await shot(page, "modal");
    expect(await barriers(page)).toEqual([]);
    await modal.getByLabel("Reason").fill("it needs more");
    await memory.fill("700");
    await memory.press("Enter");
    await modal.getByText("700 MiB would be killed again.").waitFor();
    expect(await modal.getByLabel("Reason").inputValue()).toBe("it needs more");
    await memory.fill("1024");
    await modal.getByRole("button", { name: "Save the change" }).click();
    const second = page.getByRole("dialog", { name: "Sure?" });
    await second.getByText("1024 MiB").waitFor();
    await second.getByRole("button", { name: "Back to Change the memory" }).click();
    expect(await memory.inputValue()).toBe("1024");
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    const focused = await page.locator(":focus").textContent();
    expect(focused).toBe("Change…");
  });
});

describe("by keyboard", () => {
  it("writes a command with completion, walks through messages, opens and closes a thread", async () => {
    const page = await open("U0ANA");
    const ts = await post(app, "first");
    await post(app, "second");
    await message(page, "second").waitFor();
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("Skip to the message box");
    await page.keyboard.press("Enter");
    expect(await page.locator("#composer-input:focus").count()).toBe(1);
    await page.keyboard.type("/why-");
    await page.getByRole("option", { name: /why-500/ }).waitFor();
    await page.keyboard.press("Tab");
    expect(await composer(page).inputValue()).toBe("/why-500 ");
    await page.keyboard.type("web");
    await page.keyboard.press("Enter");
    await app.payload(({ command }) => command === "/why-500");
    await expect.poll(() => composer(page).inputValue()).toBe("");

    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    expect(await page.locator(":focus").getAttribute("data-ts")).toBe(ts);
    await page.keyboard.press("Enter");
    const reply = page.getByRole("textbox", { name: /^Reply in the thread/ });
    await expect.poll(() => reply.evaluate((field) => field.matches(":focus"))).toBe(true);
    await page.keyboard.type("/why-500 web ");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "/why-500 is not supported in threads. Sorry!" }).waitFor();
    expect(await reply.inputValue()).toContain("/why-500 web");
    await page.keyboard.press("Escape");
    await page.getByRole("complementary", { name: "Thread" }).waitFor({ state: "hidden" });
    expect(await page.locator(":focus").getAttribute("data-ts")).toBe(ts);

    await page.keyboard.press("Shift+F10");
    await page.getByRole("menuitem", { name: /Add to timeline/ }).waitFor();
    await page.keyboard.press("a");
    await page.keyboard.press("Enter");
    const shortcut = await app.payload(({ type }) => type === "message_action");
    expect(shortcut).toMatchObject({ callback_id: "add_to_timeline", message_ts: ts });
  });

  it("reads new messages out, and counts those of other channels", async () => {
    const page = await open("U0ANA");
    await post(app, "db is &lt;down&gt;");
    await expect.poll(() => page.locator("#announcer").textContent()).toContain("room137: db is <down>");
    await page.getByRole("button", { name: "on-call" }).click();
    await post(app, "db is up");
    await page.getByRole("button", { name: "incidents 1 unread" }).click();
    await page.getByRole("button", { name: "incidents", exact: true }).waitFor();
  });
});

describe("on a phone", () => {
  it("shows one pane at a time, with ways back and no sideways scrolling", async () => {
    const ts = await post(app, "web answers 500", planCard());
    await post(app, "Evidence e1", [preformatted("x".repeat(400))] as never, ts);
    const page = await open("U0ANA", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true });
    await message(page, "Plan").waitFor();
    const sideways = () => page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    expect(await sideways()).toBeLessThanOrEqual(0);
    await shot(page, "phone");
    expect(await barriers(page)).toEqual([]);
    await page.getByRole("button", { name: /1 reply/ }).click();
    expect(await page.getByRole("main").isVisible()).toBe(false);
    await page.getByRole("button", { name: "Back to the channel" }).click();
    await page.getByRole("button", { name: "Channels and direct messages" }).click();
    expect(await page.getByRole("main").isVisible()).toBe(false);
    await page.getByRole("button", { name: "on-call" }).click();
    await page.getByRole("heading", { level: 1, name: "#on-call" }).waitFor();
    expect(await sideways()).toBeLessThanOrEqual(0);
  });
});
