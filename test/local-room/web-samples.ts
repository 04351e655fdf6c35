import type {
  AppsConnectionsOpenResponse,
  AuthTestResponse,
  ChatGetPermalinkResponse,
  ChatPostEphemeralResponse,
  ChatPostMessageResponse,
  ChatUpdateResponse,
  ConversationsHistoryResponse,
  ConversationsInfoResponse,
  ConversationsRepliesResponse,
  FilesCompleteUploadExternalResponse,
  FilesGetUploadURLExternalResponse,
  FilesInfoResponse,
  UsergroupsUsersListResponse,
  UsersInfoResponse,
  ViewsOpenResponse,
} from "@slack/web-api";
import { appMessage, openedView, personMessage } from "./slack-samples.ts";

/**
 * Answers of the Web API as Slack's method reference shows them, for the methods that the bot calls, held to the
 * response types of `@slack/web-api`. Values only show the form: see `differences`.
 */
type Answers = {
  "apps.connections.open": AppsConnectionsOpenResponse;
  "auth.test": AuthTestResponse;
  "chat.postMessage": ChatPostMessageResponse;
  "chat.update": ChatUpdateResponse;
  "chat.postEphemeral": ChatPostEphemeralResponse;
  "chat.getPermalink": ChatGetPermalinkResponse;
  "conversations.info": ConversationsInfoResponse;
  "conversations.history": Omit<ConversationsHistoryResponse, "channel_actions_ts">;
  "conversations.replies": ConversationsRepliesResponse;
  "users.info": UsersInfoResponse;
  "usergroups.users.list": UsergroupsUsersListResponse;
  "files.getUploadURLExternal": FilesGetUploadURLExternalResponse;
  "files.completeUploadExternal": FilesCompleteUploadExternalResponse;
  "files.info": FilesInfoResponse;
  "views.open": ViewsOpenResponse;
};

const ts = "1763683200.000100";
const edited = { user: "U0123ABCD", ts };
const file = {
  id: "F0123ABCD",
  created: 1_763_683_200,
  timestamp: 1_763_683_200,
  name: "web.log",
  title: "web.log",
  mimetype: "text/plain",
  filetype: "text",
  pretty_type: "Plain Text",
  user: "U0123ABCD",
  user_team: "T0123ABCD",
  editable: false,
  size: 5,
  mode: "hosted",
  is_external: false,
  external_type: "",
  is_public: false,
  public_url_shared: false,
  display_as_bot: false,
  username: "",
  url_private: "https://files.slack.com/files-pri/T0123ABCD-F0123ABCD/web.log",
  url_private_download: "https://files.slack.com/files-pri/T0123ABCD-F0123ABCD/download/web.log",
  permalink: "https://acme.slack.com/files/U0123ABCD/F0123ABCD/web.log",
  comments_count: 0,
  is_starred: false,
  shares: {},
  channels: [],
  groups: [],
  ims: [],
  has_more_shares: false,
  has_rich_preview: false,
  file_access: "visible",
};

export const answers: Answers = {
  "apps.connections.open": { ok: true, url: "wss://wss-primary.slack.com/link/?ticket=a&app_id=A0123ABCD" },
  "auth.test": {
    ok: true,
    url: "https://acme.slack.com/",
    team: "Acme",
    user: "room137",
    team_id: "T0123ABCD",
    user_id: "U0123ABCD",
    bot_id: "B0123ABCD",
    is_enterprise_install: false,
  },
  "chat.postMessage": { ok: true, channel: "C0123ABCD", ts, message: appMessage } as never,
  "chat.update": {
    ok: true,
    channel: "C0123ABCD",
    ts,
    text: "card",
    message: { ...appMessage, edited },
  } as never,
  "chat.postEphemeral": { ok: true, message_ts: ts },
  "chat.getPermalink": {
    ok: true,
    channel: "C0123ABCD",
    permalink: "https://acme.slack.com/archives/C0123ABCD/p1763683200000100",
  },
  "conversations.info": {
    ok: true,
    channel: {
      id: "C0123ABCD",
      name: "incidents",
      name_normalized: "incidents",
      is_channel: true,
      is_group: false,
      is_im: false,
      is_mpim: false,
      is_private: false,
      created: 1_763_683_200,
      creator: "U0123ABCD",
      is_archived: false,
      is_general: false,
      unlinked: 0,
      is_shared: false,
      is_ext_shared: false,
      is_org_shared: false,
      is_pending_ext_shared: false,
      pending_shared: [],
      pending_connected_team_ids: [],
      shared_team_ids: ["T0123ABCD"],
      is_member: true,
      context_team_id: "T0123ABCD",
      updated: 1_763_683_200_000,
      topic: { value: "t", creator: "U0123ABCD", last_set: 1_763_683_200 },
      purpose: { value: "", creator: "", last_set: 0 },
      previous_names: [],
    },
  },
  "conversations.history": {
    ok: true,
    messages: [personMessage],
    has_more: true,
    pin_count: 0,
    channel_actions_count: 0,
    channel_actions_ts: null,
    response_metadata: { next_cursor: "bmV4dA==" },
  } as never,
  "conversations.replies": {
    ok: true,
    messages: [
      {
        ...personMessage,
        thread_ts: ts,
        reply_count: 1,
        reply_users_count: 1,
        latest_reply: ts,
        reply_users: ["U0123ABCD"],
        is_locked: false,
        subscribed: false,
      },
      { ...appMessage, thread_ts: ts, parent_user_id: "U0123ABCD" },
    ],
    has_more: false,
  } as never,
  "users.info": {
    ok: true,
    user: {
      id: "U0123ABCD",
      team_id: "T0123ABCD",
      name: "ana",
      deleted: false,
      color: "9f69e7",
      real_name: "Ana",
      tz: "Europe/Lisbon",
      tz_label: "Western European Time",
      tz_offset: 0,
      profile: {
        title: "",
        phone: "",
        skype: "",
        real_name: "Ana",
        real_name_normalized: "Ana",
        display_name: "ana",
        display_name_normalized: "ana",
        status_text: "",
        status_emoji: "",
        status_expiration: 0,
        avatar_hash: "0123abcd",
        email: "ana@example.com",
        team: "T0123ABCD",
      },
      is_admin: false,
      is_owner: false,
      is_primary_owner: false,
      is_restricted: false,
      is_ultra_restricted: false,
      is_bot: false,
      is_app_user: false,
      updated: 1_763_683_200,
      is_email_confirmed: true,
      who_can_share_contact_card: "EVERYONE",
      locale: "en-US",
    },
  },
  "usergroups.users.list": { ok: true, users: ["U0123ABCD"] },
  "files.getUploadURLExternal": {
    ok: true,
    upload_url: "https://files.slack.com/upload/v1/ABC123",
    file_id: "F0123ABCD",
  },
  "files.completeUploadExternal": { ok: true, files: [file] },
  "files.info": {
    ok: true,
    file: {
      ...file,
      shares: {
        public: {
          C0123ABCD: [
            {
              reply_users: [],
              reply_users_count: 0,
              reply_count: 0,
              ts,
              channel_name: "incidents",
              team_id: "T0123ABCD",
              share_user_id: "U0123ABCD",
            },
          ],
        },
      },
      channels: ["C0123ABCD"],
    },
  },
  "views.open": { ok: true, view: openedView } as never,
};

/** Every error is told in the same form. */
export const refused = { ok: false, error: "channel_not_found" };
export const unknownMethod = { ok: false, error: "unknown_method", req_method: "no.such" };
export const missingScope = { ok: false, error: "missing_scope", needed: "bookmarks:write", provided: "chat:write" };
export const badArguments = {
  ok: false,
  error: "invalid_arguments",
  response_metadata: { messages: ["[ERROR] missing required field: channel"] },
};
