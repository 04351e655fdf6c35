import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { commands, events } from "../../handlers/index.ts";
import { planButtons } from "../../handlers/plan-buttons.ts";
import { shortcuts } from "../../handlers/shortcuts.ts";
import { actionIds } from "../../src/core/buttons.ts";
import { manifestText } from "../local-room/open-room.ts";

interface Declared {
  features: { slash_commands: { command: string }[]; shortcuts: { callback_id: string }[] };
  oauth_config: { scopes: { bot: string[]; bot_optional: string[] } };
  settings: { event_subscriptions: { bot_events: string[] } };
}

describe.each(["socket", "http"] as const)("the manifest for %s mode", (transport) => {
  const manifest = parse(manifestText(transport)) as Declared;

  it("declares exactly the commands, shortcuts and events that there are handlers for", () => {
    expect(manifest.features.slash_commands.map((one) => one.command).sort()).toEqual(Object.keys(commands).sort());
    expect(manifest.features.shortcuts.map((one) => one.callback_id).sort()).toEqual(Object.keys(shortcuts).sort());
    expect([...manifest.settings.event_subscriptions.bot_events].sort()).toEqual(Object.keys(events).sort());
  });

  it("asks for the scopes that are used, and not for more", () => {
    expect([...manifest.oauth_config.scopes.bot].sort()).toEqual([
      "app_mentions:read",
      "channels:read",
      "chat:write",
      "commands",
      "files:write",
      "groups:read",
      "usergroups:read",
      "users:read",
    ]);
    expect([...manifest.oauth_config.scopes.bot_optional].sort()).toEqual([
      "channels:history",
      "groups:history",
      "im:write",
    ]);
  });
});

it("every button of a card has somebody to answer it", () => {
  expect(Object.keys(planButtons).sort()).toEqual(Object.values(actionIds).sort());
});

it("every surface has a file of its own, and every command its file", () => {
  const files = readdirSync(new URL("../../handlers/", import.meta.url));
  for (const command of Object.keys(commands)) expect(files).toContain(`${command.slice(1)}.ts`);
});
