import type { App, BlockAction, SlackViewAction } from "@slack/bolt";
import { refuse } from "../src/core/result.ts";
import type { SlackEdge } from "../src/slack/edge.ts";
import { answering, asked, type CommandHandler, type HandlerDeps, requestOf } from "./asked.ts";
import { guardrails } from "./guardrails.ts";
import { createHomes } from "./home.ts";
import { hostForm, hostFormId } from "./host-modal.ts";
import { hosts } from "./hosts.ts";
import { greet } from "./member-joined.ts";
import { mention } from "./mention.ts";
import { type Form, parseOrigin, typedIn } from "./modals.ts";
import { planButtons } from "./plan-buttons.ts";
import { breakGlassForm, breakGlassFormId, changeForm, changeFormId, reasonForm, reasonFormId } from "./plan-modals.ts";
import { room137 } from "./room137.ts";
import { investigateForm, investigateFormId, shortcuts } from "./shortcuts.ts";
import { timeline } from "./timeline.ts";
import { whyAny } from "./why.ts";
import { why500 } from "./why-500.ts";
import { meantWord, typedText } from "./words.ts";

/** What the manifests declare, by the names they use. */
export const commands: Record<string, CommandHandler> = {
  "/why-500": why500,
  "/why": whyAny,
  "/hosts": hosts,
  "/guardrails": guardrails,
  "/timeline": timeline,
  "/room137": room137,
};

const forms: Record<string, Form> = {
  [hostFormId]: hostForm as Form,
  [reasonFormId]: reasonForm as Form,
  [changeFormId]: changeForm as Form,
  [breakGlassFormId]: breakGlassForm as Form,
  [investigateFormId]: investigateForm as Form,
};

/** Something that happened in the workspace, as Slack tells it; `event` is only as good as its reader. */
type EventHandler = (event: SlackEvent, deps: HandlerDeps) => Promise<void>;
type SlackEvent = Record<string, unknown> & { botUserId: string | null; context: Record<string, unknown> };

export const events: Record<string, EventHandler> = {
  async app_mention(event, deps) {
    const { user, channel, text: said, ts, thread_ts: threadTs } = event;
    // Bots are not answered: two of them would talk all night.
    if (typeof user !== "string" || typeof channel !== "string" || event["bot_id"] !== undefined) return;
    const thread = typeof threadTs === "string" ? threadTs : null;
    const to = { userId: user, channel, threadTs: thread, responseUrl: null };
    const who = asked(deps, to, requestOf(event.context), null);
    deps.log.info({ userId: user, channel, ts }, "room137 was mentioned");
    await answering(deps, who, () => mention(who, String(said ?? ""), event.botUserId, commands, deps));
  },
  async app_home_opened(event, deps) {
    if (event["tab"] === "home" && typeof event["user"] === "string") await deps.homes.opened(event["user"]);
  },
  async member_joined_channel(event, deps) {
    if (event["user"] === event.botUserId) await greet(String(event["channel"]), deps);
  },
  async subteam_members_changed(event, deps) {
    deps.edge.people.forgetGroup(String(event["subteam_id"]));
  },
  async channel_archive(event, deps) {
    deps.log.info({ channel: event["channel"] }, "a channel was archived; what is to be said there is dropped");
  },
  async app_uninstalled(_event, deps) {
    deps.edge.lost("the app was uninstalled");
  },
  async tokens_revoked(event, deps) {
    const bots = (event["tokens"] as { bot?: unknown[] } | undefined)?.bot ?? [];
    if (bots.length > 0) deps.edge.lost("the bot token was revoked");
  },
};

/** Registers everything on the edge's Bolt app. Once, before it starts. */
export function registerHandlers(edge: SlackEdge, given: Omit<HandlerDeps, "edge" | "homes">): void {
  const deps: HandlerDeps = { ...given, edge, homes: createHomes({ ...given, api: edge.api }) };
  onCommands(edge.app, deps);
  onButtons(edge.app, deps);
  onForms(edge.app, deps);
  onShortcuts(edge.app, deps);
  for (const [type, handle] of Object.entries(events)) {
    edge.app.event(type, async ({ event, context }) => {
      await handle({ ...event, botUserId: context.botUserId ?? null, context }, deps);
    });
  }
  edge.onBeat(() => deps.homes.refresh());
}

/** One listener for all, so that a command we do not know is answered too. */
function onCommands(app: App, deps: HandlerDeps): void {
  app.command(/^\//, async ({ command, context }) => {
    const { user_id: userId, channel_id: channel, response_url: responseUrl, trigger_id: triggerId } = command;
    const to = { userId, channel, threadTs: null, responseUrl: responseUrl ?? null };
    const who = asked(deps, to, requestOf(context), triggerId ?? null);
    const name = command.command.toLowerCase();
    await answering(deps, who, async () => {
      const handler = Object.hasOwn(commands, name) ? commands[name] : undefined;
      if (handler !== undefined) return await handler({ ...who, name, text: typedText(command.text ?? "") }, deps);
      const near = meantWord(name, Object.keys(commands));
      const next = near === null ? "Type /room137 help." : `Did you mean ${near} ?`;
      return refuse("unknown-command", `room137 has no command ${name}.`, "Nothing was done.", next);
    });
  });
}

/** Buttons with a link fire too and need nothing; the ack was sent before this runs. */
function onButtons(app: App, deps: HandlerDeps): void {
  app.action<BlockAction>(/.*/, async ({ body, action, context }) => {
    const press = Object.hasOwn(planButtons, action.action_id) ? planButtons[action.action_id] : undefined;
    if (press === undefined) return;
    const { container } = body;
    const to = {
      userId: body.user.id,
      channel: body.channel?.id ?? null,
      threadTs: typeof container?.["thread_ts"] === "string" ? container["thread_ts"] : null,
      responseUrl: body.response_url ?? null,
    };
    const who = asked(deps, to, requestOf(context), body.trigger_id ?? null);
    const value = "value" in action && typeof action.value === "string" ? action.value : "";
    await answering(deps, who, () => press({ ...who, value }, deps));
  });
}

/** The one thing that is acked by its listener: what is wrong with a form is told in the form. */
function onForms(app: App, deps: HandlerDeps): void {
  app.view<SlackViewAction>(/.*/, async ({ ack, body, view, context }) => {
    const form = Object.hasOwn(forms, view.callback_id) ? forms[view.callback_id] : undefined;
    if (form === undefined || body.type !== "view_submission") return await ack();
    const outcome = form.parse(typedIn(view.state.values), view.private_metadata);
    if ("errors" in outcome) return await ack({ response_action: "errors", errors: outcome.errors });
    await ack();
    const { channel, threadTs } = parseOrigin(view.private_metadata);
    const to = { userId: body.user.id, channel, threadTs, responseUrl: null };
    const who = asked(deps, to, requestOf(context), null);
    await answering(deps, who, () => form.act(outcome.parsed, who, deps));
  });
}

function onShortcuts(app: App, deps: HandlerDeps): void {
  app.shortcut(/.*/, async ({ shortcut, context }) => {
    const handler = Object.hasOwn(shortcuts, shortcut.callback_id) ? shortcuts[shortcut.callback_id] : undefined;
    if (handler === undefined || shortcut.type !== "message_action") return;
    const { message, channel, user, response_url: responseUrl, trigger_id: triggerId } = shortcut;
    const threadTs = typeof message["thread_ts"] === "string" ? message["thread_ts"] : message.ts;
    const to = { userId: user.id, channel: channel.id, threadTs, responseUrl };
    const who = asked(deps, to, requestOf(context), triggerId);
    const picked = { text: message.text ?? "", authorId: message.user ?? null };
    await answering(deps, who, () => handler(who, picked, deps));
  });
}
