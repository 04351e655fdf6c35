import type {
  BlockAction,
  BlockSuggestion,
  ButtonAction,
  EnvelopedEvent,
  GlobalShortcut,
  MessageShortcut,
  SlashCommand,
  StaticSelectAction,
  ViewClosedAction,
  ViewOutput,
  ViewSubmitAction,
} from "@slack/bolt";
import type {
  AppHomeOpenedEvent,
  AppMentionEvent,
  ChannelArchiveEvent,
  GenericMessageEvent,
  MemberJoinedChannelEvent,
  SubteamMembersChangedEvent,
} from "@slack/types";

/**
 * Payloads as Slack's documentation shows them, composed by hand for the scenario of `shapes.test.ts` and held to the
 * types that Slack itself publishes (`@slack/bolt`, `@slack/types`), so that a sample with a wrong field does not
 * compile. Sources: docs.slack.dev reference/interaction-payloads, reference/events, apis/events-api/using-socket-mode,
 * interactivity/implementing-slash-commands, 2026-11. Values only show the form: see `differences`.
 *
 * Slack sends `"enterprise": null` outside of Enterprise Grid, which its types leave out.
 */
type Sent<T> = {
  [K in keyof T as K extends "enterprise" | "enterprise_id" | "context_enterprise_id" ? never : K]: T[K];
} & { enterprise?: null; enterprise_id?: null; context_enterprise_id?: null };

const team = { id: "T0123ABCD", domain: "acme" };
const user = { id: "U0123ABCD", username: "ana", name: "ana", team_id: team.id };
const token = "verification";
const triggerId = "1234567.7654321.0123456789abcdef";
const ts = "1763683200.000100";
const url = "https://hooks.slack.com/actions/T0123ABCD/1234/abcd";
const channel = { id: "C0123ABCD", name: "incidents" };
const plain = { type: "plain_text", text: "Go" } as const;
const common = {
  team,
  user,
  api_app_id: "A0123ABCD",
  token,
  enterprise: null,
  is_enterprise_install: false,
};

export const botProfile: NonNullable<GenericMessageEvent["bot_profile"]> = {
  id: "B0123ABCD",
  app_id: "A0123ABCD",
  name: "room137",
  deleted: false,
  updated: 0,
  team_id: team.id,
  icons: {},
};
const option = { text: plain, value: "a" };
const card = [
  {
    type: "actions",
    block_id: "row",
    elements: [
      { type: "button", action_id: "go", text: plain, value: "id_1" },
      { type: "static_select", action_id: "pick", options: [option] },
    ],
  },
] as const;
/** What the app posted, as it comes back to it. */
export const appMessage = {
  type: "message" as const,
  user: "U0123ABCD",
  ts,
  text: "card",
  team: team.id,
  bot_id: "B0123ABCD",
  app_id: "A0123ABCD",
  bot_profile: botProfile,
  blocks: card,
};

export const slashCommand: Sent<SlashCommand> = {
  token,
  team_id: team.id,
  team_domain: team.domain,
  channel_id: channel.id,
  channel_name: "incidents",
  user_id: user.id,
  user_name: "ana",
  command: "/why",
  text: "web",
  api_app_id: "A0123ABCD",
  is_enterprise_install: "false",
  response_url: url,
  trigger_id: triggerId,
};

const clicked = {
  ...common,
  type: "block_actions" as const,
  trigger_id: triggerId,
  container: { type: "message", message_ts: ts, channel_id: channel.id, is_ephemeral: false },
  channel,
  message: appMessage,
  state: { values: { row: { pick: { type: "static_select", selected_option: null } } } },
  response_url: url,
};
export const buttonClick: Sent<BlockAction<ButtonAction>> = {
  ...clicked,
  actions: [{ type: "button", action_id: "go", block_id: "row", text: plain, value: "id_1", action_ts: ts }],
};
export const selectClick: Sent<BlockAction<StaticSelectAction>> = {
  ...clicked,
  state: { values: { row: { pick: { type: "static_select", selected_option: option } } } },
  actions: [{ type: "static_select", action_id: "pick", block_id: "row", selected_option: option, action_ts: ts }],
};

/** `submit_disabled` and `app_installed_team_id` come with every modal and are missing from the published type. */
export const modalView: ViewOutput & { submit_disabled: boolean } = {
  id: "V0123ABCD",
  team_id: team.id,
  type: "modal",
  blocks: [
    {
      type: "input",
      block_id: "reason",
      label: plain,
      element: { type: "plain_text_input", action_id: "in" },
    } as never,
    {
      type: "input",
      block_id: "host",
      label: plain,
      element: { type: "external_select", action_id: "find", min_query_length: 0 },
    } as never,
  ],
  private_metadata: "opaque",
  callback_id: "form",
  state: {
    values: {
      reason: { in: { type: "plain_text_input", value: "because" } },
      host: { find: { type: "external_select", selected_option: option } },
    },
  },
  hash: "1763683200.abcdef01",
  title: plain,
  clear_on_close: false,
  notify_on_close: true,
  close: null,
  submit: plain,
  previous_view_id: null,
  root_view_id: "V0123ABCD",
  app_id: "A0123ABCD",
  external_id: "",
  app_installed_team_id: team.id,
  bot_id: "B0123ABCD",
  submit_disabled: false,
};
const emptyState = {
  values: {
    reason: { in: { type: "plain_text_input", value: null } },
    host: { find: { type: "external_select", selected_option: null } },
  },
};
export const openedView = { ...modalView, state: emptyState };

export const viewSubmission: Sent<ViewSubmitAction> = {
  ...common,
  type: "view_submission",
  trigger_id: triggerId,
  view: modalView,
  response_urls: [],
};
export const viewClosed: Sent<ViewClosedAction> = {
  ...common,
  type: "view_closed",
  view: openedView,
  is_cleared: false,
};
export const blockSuggestion: Sent<BlockSuggestion> = {
  ...common,
  type: "block_suggestion",
  action_id: "find",
  block_id: "host",
  value: "we",
  container: { type: "view", view_id: "V0123ABCD" },
  view: openedView,
};
/** With `user.name` besides what the type lists, as in every other interaction. */
export const globalShortcut: Sent<GlobalShortcut> = {
  ...common,
  type: "shortcut",
  callback_id: "open_form",
  trigger_id: triggerId,
  action_ts: ts,
};

/** A person's message, with the thread fields it gets once somebody answered. */
export const personMessage = {
  type: "message" as const,
  user: user.id,
  ts,
  text: "web is slow",
  team: team.id,
  client_msg_id: "0123abcd-0123-4123-8123-0123456789ab",
  blocks: [
    {
      type: "rich_text",
      block_id: "b1",
      elements: [{ type: "rich_text_section", elements: [{ type: "text", text: "web is slow" }] }],
    },
  ],
};
export const messageShortcut: Sent<MessageShortcut> = {
  ...common,
  type: "message_action",
  callback_id: "investigate",
  trigger_id: triggerId,
  action_ts: ts,
  message_ts: ts,
  channel,
  message: personMessage,
  response_url: url,
};

function eventOf<E>(event: E): Sent<EnvelopedEvent<E>> {
  return {
    token,
    team_id: team.id,
    context_team_id: team.id,
    context_enterprise_id: null,
    api_app_id: "A0123ABCD",
    event,
    type: "event_callback",
    event_id: "Ev0123ABCD",
    event_time: 1_763_683_200,
    authorizations: [
      { enterprise_id: null, team_id: team.id, user_id: "U0123ABCD", is_bot: true, is_enterprise_install: false },
    ],
    is_ext_shared_channel: false,
    event_context: "4-abcdef",
  };
}

const { type: _message, ...said } = personMessage;
export const messageEvent = eventOf<Omit<GenericMessageEvent, "subtype">>({
  ...said,
  type: "message",
  channel: channel.id,
  channel_type: "channel",
  event_ts: ts,
});
export const mentionEvent = eventOf<AppMentionEvent>({
  ...said,
  type: "app_mention",
  text: "<@U0123ABCD> why web",
  channel: channel.id,
  event_ts: ts,
  blocks: [
    {
      type: "rich_text",
      block_id: "b1",
      elements: [
        {
          type: "rich_text_section",
          elements: [
            { type: "user", user_id: "U0123ABCD" },
            { type: "text", text: " why web" },
          ],
        },
      ],
    },
  ],
} as AppMentionEvent);
export const homeEvent = eventOf<AppHomeOpenedEvent>({
  type: "app_home_opened",
  user: user.id,
  channel: "D0123ABCD",
  tab: "messages",
  event_ts: ts,
});
export const joinedEvent = eventOf<MemberJoinedChannelEvent>({
  type: "member_joined_channel",
  user: user.id,
  channel: channel.id,
  channel_type: "C",
  team: team.id,
  inviter: user.id,
  event_ts: ts,
});
export const archiveEvent = eventOf<ChannelArchiveEvent>({
  type: "channel_archive",
  channel: channel.id,
  user: user.id,
  is_moved: 0,
  event_ts: ts,
});
export const groupEvent = eventOf<SubteamMembersChangedEvent>({
  type: "subteam_members_changed",
  subteam_id: "S0123ABCD",
  team_id: team.id,
  date_previous_update: 1_763_683_200,
  date_update: 1_763_683_200,
  added_users: [user.id],
  added_users_count: 1,
  removed_users: [user.id],
  removed_users_count: 1,
  event_ts: ts,
});

export const rateLimitedEvent = {
  token,
  type: "app_rate_limited",
  team_id: team.id,
  minute_rate_limited: 1_763_683_200,
  api_app_id: "A0123ABCD",
};
export const hello = {
  type: "hello",
  num_connections: 1,
  connection_info: { app_id: "A0123ABCD" },
  debug_info: { host: "applink-1", build_number: 1, approximate_connection_time: 18_000 },
};
export const disconnect = { type: "disconnect", reason: "warning", debug_info: { host: "applink-1" } };
export const requestEnvelope = (type: string, payload: object) => ({
  envelope_id: "0123abcd-0123-4123-8123-0123456789ab",
  payload,
  type,
  accepts_response_payload: true,
});
export const eventEnvelope = (payload: object) => ({
  ...requestEnvelope("events_api", payload),
  accepts_response_payload: false,
  retry_attempt: 0,
  retry_reason: "",
});
