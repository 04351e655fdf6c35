import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { barriers, launchBrowser, shot, visit } from "../e2e/room-browser.ts";
import { breakShop } from "./faults.ts";
import { type IncidentRoom, openIncidentRoom } from "./incident-room.ts";
import { type Lab, startLab } from "./lab.ts";
import { stageWebAndDb } from "./stage.ts";

let lab: Lab;
let browser: Browser;
let room: IncidentRoom;

beforeAll(async () => {
  lab = await startLab({ name: "browser", engine: "private" });
  await stageWebAndDb(lab, { compose: true });
  await breakShop(lab, "oom-kill");
  room = await openIncidentRoom(lab);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await room?.stop();
  await lab?.stop();
});

it("is played through in the page by the responder and the approver, on a desk and on a phone", async () => {
  const app = { room: { url: room.service.url } };
  const ana = await visit(browser, app, "U0ANA");
  await ana.page.getByRole("textbox", { name: "Message #incidents" }).fill("/why-500 web");
  await ana.page.keyboard.press("Enter");
  await ana.page.getByText("web: root cause found, waiting for approval").first().waitFor();
  await ana.page
    .getByRole("button", { name: /repl(y|ies)/ })
    .first()
    .click();
  const thread = ana.page.getByRole("complementary", { name: "Thread" });
  await thread.getByText("Waiting for approval: 0 of 1").waitFor();
  expect(await thread.textContent()).toMatch(/web itself is healthy: GET \/healthz on port 8000 answered 200/);
  await ana.page.setViewportSize({ width: 1360, height: 1640 });
  await shot(ana.page, "incident-thread");
  expect(await barriers(ana.page)).toEqual([]);

  const ben = await visit(browser, app, "U0BEN", { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await ben.page
    .getByRole("button", { name: /repl(y|ies)/ })
    .first()
    .click();
  await ben.page.getByRole("button", { name: "Approve" }).click();
  await shot(ben.page, "incident-phone-confirm");
  await ben.page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
  await ben.page.getByRole("complementary", { name: "Thread" }).getByText("The reported symptom is gone.").waitFor();
  await shot(ben.page, "incident-phone");
  await thread.getByText("The reported symptom is gone.").waitFor();
  await shot(ana.page, "incident-recovered");
  expect([...ana.errors, ...ben.errors]).toEqual([]);
});
