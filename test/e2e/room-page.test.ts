import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { planCard, preformatted, type RoomWithApp, section, startRoomWithApp } from "./room-app.ts";
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

describe("the conversation", () => {
  it("tells an empty room's visitor what to type, and sends it", async () => {
    const page = await open("U0ANA");
    await expect.poll(() => page.getByText("Local room, not Slack").isVisible()).toBe(true);
    await page.getByRole("button", { name: "/why-500 web" }).click();
    await composer(page).press("Enter");
    const command = await app.payload(({ command }) => command === "/why-500");
    expect(command).toMatchObject({ text: "web", user_id: "U0ANA" });
    await expect.poll(() => composer(page).inputValue()).toBe("");
  });

  it("shows hostile text as text", async () => {
    const page = await open("U0ANA");
    const hostile = '<img src=x onerror="document.title=1"> <script>document.title=1</script> javascript:alert(1)';
    const escaped = hostile.replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    await post(app, "evidence", [preformatted(hostile), section(`${escaped} <javascript:alert(1)|click>`)] as never);
    await message(page, "onerror").waitFor();
    expect(await message(page, "onerror").locator("pre").textContent()).toBe(hostile);
    expect(await page.locator("#stream img, #stream script, #stream a[href^='javascript']").count()).toBe(0);
    expect(await page.title()).toContain("Local room, not Slack");
  });

  it("makes no element and no attribute outside its own list, whatever the server sends", async () => {
    await post(app, "innocent");
    const page = await open("U0ANA");
    await page.route("**/_twin/state*", async (route) => {
      const state = await (await route.fetch()).json();
      state.messages[CHANNEL][0].rendered = {
        tag: "div",
        attrs: { onclick: "document.title=1", style: "position:fixed" },
        children: [
          { tag: "script", attrs: {}, children: ["document.title=1"] },
          { tag: "iframe", attrs: { src: "/", srcdoc: "<p>" }, children: [] },
          { tag: "a", attrs: { href: "javascript:alert(1)" }, children: ["planted"] },
          {
            tag: "img",
            attrs: { src: "//elsewhere.example/x.png", onerror: "document.title=1", alt: "x" },
            children: [],
          },
        ],
      };
      await route.fulfill({ json: state });
    });
    await post(app, "another");
    const planted = message(page, "planted");
    await planted.waitFor();
    const content = planted.locator(".content");
    expect(
      await content.locator("script, iframe, [onclick], [onerror], [style], [srcdoc], [href], [src]").count(),
    ).toBe(0);
    expect(await content.locator("> div").count()).toBe(1);
  });

  it("marks what is edited, deleted, private, reacted to and answered", async () => {
    const page = await open("U0ANA");
    const ts = await post(app, "first words");
    await post(app, "a reply", undefined, ts);
    await app.slack.chat.update({ channel: CHANNEL, ts, text: "second words" });
    await app.slack.chat.postEphemeral({ channel: CHANNEL, user: "U0ANA", text: "just for Ana" });
    const article = message(page, "second words");
    await article.getByText("(edited)").waitFor();
    await article.getByRole("button", { name: /^1 reply · last reply today at \d\d:\d\d$/ }).waitFor();
    await message(page, "just for Ana").getByText("Only visible to you").waitFor();
    await article.hover();
    await article.getByRole("button", { name: "Add reaction" }).click();
    await page.getByRole("menuitem", { name: "eyes" }).click();
    await article.getByRole("button", { name: "eyes: 1, Ana", pressed: true }).waitFor();

    const ben = await open("U0BEN");
    await message(ben, "second words").waitFor();
    expect(await message(ben, "just for Ana").count()).toBe(0);
    await app.slack.chat.delete({ channel: CHANNEL, ts });
    await ben.getByText("This message was deleted.").waitFor();
    await page.reload();
    await page.getByText("This message was deleted.").waitFor();
    expect(await message(page, "just for Ana").count()).toBe(0);
  });

  it("previews a text file and follows a permalink to a reply", async () => {
    const ts = await post(app, "the log follows");
    const log = Array.from({ length: 30 }, (_, line) => `line ${line}`).join("\n");
    await app.slack.filesUploadV2({ channel_id: CHANNEL, thread_ts: ts, filename: "kernel.log", content: log });
    const page = await open("U0ANA", {}, `/thread/${ts}`);
    const thread = page.getByRole("complementary", { name: "Thread" });
    await thread.getByText("line 11").waitFor();
    expect(await thread.getByText("line 12").count()).toBe(0);
    await thread.getByRole("button", { name: "Show all 30 lines" }).click();
    await thread.getByText("line 29").waitFor();
    expect(await thread.getByRole("link", { name: /kernel\.log/ }).getAttribute("download")).toBe("kernel.log");

    const reply = await post(app, "look here", undefined, ts);
    const { permalink } = await app.slack.chat.getPermalink({ channel: CHANNEL, message_ts: reply });
    await page.goto(permalink as string);
    await expect.poll(() => page.locator(":focus").textContent()).toContain("look here");
  });

  it("keeps the reader's place among 1,000 messages and says that there are new ones", async () => {
    for (let index = 0; index < 1_000; index += 50)
      await Promise.all(Array.from({ length: 50 }, (_, offset) => post(app, `message ${index + offset}`)));
    const page = await open("U0ANA");
    await expect.poll(() => page.locator("#stream article").count()).toBe(1_000);
    const scroller = page.locator("#stream-scroller");
    const fromEnd = () => scroller.evaluate((box) => box.scrollHeight - box.clientHeight - box.scrollTop);
    await expect.poll(fromEnd).toBeLessThan(2);
    await scroller.evaluate((box) => {
      box.scrollTop = 5_000;
    });
    const place = () =>
      page.locator("#stream article").evaluateAll((all) => {
        const seen = all.find((each) => each.getBoundingClientRect().top > 150);
        return { ts: seen?.getAttribute("data-ts"), top: seen?.getBoundingClientRect().top ?? 0 };
      });
    await page.getByRole("button", { name: "New messages below" }).waitFor({ state: "hidden" });
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    const before = await place();
    await page
      .locator("#stream article")
      .first()
      .evaluate((first) => first.setAttribute("data-same", ""));
    await post(app, "the newest");
    await page.getByRole("button", { name: "New messages below" }).waitFor();
    const after = await place();
    expect(after.ts).toBe(before.ts);
    expect(Math.abs(after.top - before.top)).toBeLessThan(4);
    expect(await page.locator("article[data-same]").count()).toBe(1);
    await page.getByRole("button", { name: "New messages below" }).click();
    await expect.poll(fromEnd).toBeLessThan(2);
  });

  it("comes back by itself when the room was gone, and says so", async () => {
    const page = await open("U0ANA");
    const port = Number(new URL(app.room.url).port);
    await app.stop();
    await page.getByText("Connection to the local room lost").waitFor();
    app = await startRoomWithApp(port);
    await post(app, "after the restart");
    await message(page, "after the restart").waitFor();
    expect(await page.getByText("Connection to the local room lost").isVisible()).toBe(false);
    expect(await page.getByText("Connected again").isVisible()).toBe(true);
  });
});

describe("everywhere", () => {
  it.each(["light", "dark"] as const)("has no barrier for assistive technology, in %s", async (colorScheme) => {
    const ts = await post(app, "web answers 500", planCard());
    await post(app, "Evidence e1", [preformatted("memory: usage 524288kB")] as never, ts);
    await app.slack.views.publish({
      user_id: "U0ANA",
      view: { type: "home", blocks: [section("*No open incidents*")] },
    });
    const page = await open("U0ANA", { colorScheme }, `/thread/${ts}`);
    await page
      .getByRole("complementary", { name: "Thread" })
      .getByText("Evidence")
      .or(page.getByText("usage 524288kB"))
      .first()
      .waitFor();
    await shot(page, `thread-${colorScheme}`);
    expect(await barriers(page)).toEqual([]);

    await page.getByRole("button", { name: /^Inspector/ }).click();
    for (const tab of ["Notifications", "Lint", "Rate limits", "Clock and faults", "Activity"]) {
      await page.getByRole("tab", { name: tab }).click();
      expect(await barriers(page)).toEqual([]);
    }
    await page.locator(".journal").getByText("chat.postMessage").first().waitFor();
    await shot(page, `inspector-${colorScheme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "room137 Home" }).click();
    await page.getByText("No open incidents").waitFor();
    expect(await barriers(page)).toEqual([]);
  });

  it("injects a fault and moves the clock from the inspector", async () => {
    const page = await open("U0ANA");
    await page.getByRole("button", { name: /^Inspector/ }).click();
    await page.getByRole("tab", { name: "Clock and faults" }).click();
    await page.getByLabel("What happens").selectOption("api-error");
    await page.getByLabel("Method, or * for all").fill("chat.update");
    await page.getByLabel("Error code").fill("is_inactive");
    await page.getByRole("button", { name: "Inject" }).click();
    await page.getByRole("list", { name: "Faults in force" }).getByText("is_inactive").waitFor();
    const ts = await post(app, "words");
    await expect(app.slack.chat.update({ channel: CHANNEL, ts, text: "others" })).rejects.toThrow("is_inactive");
  });
});
