import type { RenderNode } from "../slack/blocks/render.ts";

/**
 * The control API between the local room's server and its page. Everything under `/_twin/` speaks JSON in these shapes.
 *
 * - Every POST answers `ControlAnswer`: HTTP 200 with `ok: true`, HTTP 200 with `ok: false` where the bot did not do its
 *   part (no connection, no answer within three seconds) or the room refuses as Slack's client would, HTTP 400 for a
 *   malformed request, 401 for a missing access token, 403 for an actor that the token does not allow.
 * - Where access tokens are in force (any bind other than loopback), send `Authorization: Bearer <token>` or open the
 *   page once with `?access=<token>`, which sets a cookie. `actor` may then be left out, and must be the token's person.
 * - With access tokens there is no inspector: journal, ledgers, buckets, faults and clock answer 403 `no_inspection`,
 *   since they show what is said in other people's private channels.
 * - Times are milliseconds of the room's own clock, except where Slack's own shape says otherwise (`ts` is a string).
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** GET /_twin/state?actor=U… */
export interface RoomState {
  /** Number of the newest change; the SSE stream continues from here. */
  seq: number;
  nowMs: number;
  clockFrozen: boolean;
  team: { id: string; name: string; domain: string };
  app: {
    id: string;
    name: string;
    botUserId: string;
    homeTab: boolean;
    transport: "socket" | "http";
    /** Open socket connections; null in HTTP mode. */
    connections: number | null;
  };
  /** Who acts. */
  me: string;
  /** True when the access token fixes who acts: hide the actor switch. */
  actorLocked: boolean;
  users: UserState[];
  userGroups: { id: string; handle: string; name: string; users: string[] }[];
  /** Channels that this actor may see: all public ones, and the private ones and DMs they are in. */
  channels: ChannelState[];
  /** The newest 1,200 top-level messages per channel id, oldest first; replies sit in their parent. */
  messages: Record<string, MessageState[]>;
  /** Open modals of this actor, root first; the last one is on top. */
  modals: ViewState[];
  /** What the bot published to this actor's Home tab. */
  home: ViewState | null;
  commands: { command: string; description: string; usageHint: string | null }[];
  shortcuts: { type: "message" | "global"; name: string; callbackId: string; description: string }[];
}

export interface UserState {
  id: string;
  name: string;
  displayName: string;
  tz: string;
  isBot: boolean;
  isGuest: boolean;
  deleted: boolean;
}

export interface ChannelState {
  id: string;
  /** For a DM the other person's display name. */
  name: string;
  type: "public" | "private" | "im";
  archived: boolean;
  /** Whether the actor is in it; writing needs it. */
  isMember: boolean;
  botIsMember: boolean;
  members: string[];
  topic: string;
  /** Text the bot shows under a thread ("is investigating…"), by thread ts. */
  status: Record<string, string>;
}

export interface MessageState {
  channel: string;
  ts: string;
  /** Parent's ts for a reply, own ts for a parent, null for a message without a thread. */
  threadTs: string | null;
  /** Author's user id. */
  user: string;
  /** The message as the Web API answers it. */
  raw: JsonObject;
  /** Text and blocks as a tree that the page turns into text nodes and elements. */
  rendered: RenderNode;
  /** "Only visible to you". Such messages are gone when the page asks with `?reload=1`, as in Slack after a reload. */
  ephemeral: boolean;
  edited: boolean;
  /** A deleted parent with replies: show "This message was deleted". */
  tombstone: boolean;
  /** Reply that is also shown in the channel. */
  broadcast: boolean;
  reactions: { name: string; users: string[] }[];
  files: FileState[];
  pinned: boolean;
  replyCount: number;
  /** Replies, oldest first, including ephemeral ones for this actor. */
  replies: MessageState[];
  permalink: string;
}

export interface FileState {
  id: string;
  name: string;
  title: string;
  mimetype: string;
  sizeBytes: number;
  /** Same-origin path for <img> and download links. */
  url: string;
  altText: string | null;
}

export interface ViewState {
  id: string;
  type: "modal" | "home";
  /** Escaped nothing: plain text of the modal's title and buttons; null where the view has none. */
  title: string | null;
  submit: string | null;
  close: string | null;
  /** The view as Slack's payloads carry it, with generated block and action ids. */
  raw: JsonObject;
  rendered: RenderNode;
  /** Messages under inputs, by block id, from `response_action: "errors"`. */
  errors: Record<string, string>;
  /** Set after a submission that was not acknowledged in three seconds. */
  trouble: string | null;
}

/** GET /_twin/stream: each SSE `data:` line. Ask for the state again after one (coalesce for a few dozen ms). */
export interface RoomChange {
  seq: number;
  kind:
    | "message"
    | "ephemeral"
    | "view"
    | "home"
    | "channel"
    | "file"
    | "reaction"
    | "status"
    | "clock"
    | "call"
    | "connection"
    | "ledger"
    | "fault";
  channel: string | null;
  /** Only this person sees the change; null: everybody. */
  actor: string | null;
}

/** POST /_twin/command. `text` is the whole line, starting with the slash. Refused inside threads. */
export interface CommandRequest {
  actor?: string;
  channel: string;
  text: string;
  /** Set when the composer of a thread was used: answered with `command_in_thread`, as Slack's client does. */
  threadTs?: string;
}

/** POST /_twin/message. `text` as typed: `@ana`, `#incidents` and `@room137` are resolved as Slack's composer does. */
export interface MessageRequest {
  actor?: string;
  channel: string;
  text: string;
  threadTs?: string;
  alsoToChannel?: boolean;
}

/**
 * What a person chose or typed, whatever the element: text of inputs, `YYYY-MM-DD`, `HH:mm`, unix seconds as a string,
 * option value, user or channel id; a list for checkboxes, multi selects and file inputs; null for empty.
 */
export type ControlValue = string | string[] | null;
/** By block id, then action id. */
export type ControlValues = Record<string, Record<string, ControlValue>>;

/** POST /_twin/action: a click or choice in a message (`channel` + `ts`) or in a modal or Home (`viewId`). */
export interface ActionRequest {
  actor?: string;
  channel?: string;
  ts?: string;
  viewId?: string;
  blockId: string;
  actionId: string;
  /** New value for everything but buttons. */
  value?: ControlValue;
  /** Current content of all inputs in the same message or view. */
  values?: ControlValues;
  /** Needed where the element has a confirm dialog, after the person agreed: else `confirmation_required`. */
  confirmed?: boolean;
  /** The `raw` of a stale page, to click what is no longer there (fault `staleClicks`). */
  staleMessage?: JsonObject;
}

/** POST /_twin/view-submit */
export interface ViewSubmitRequest {
  actor?: string;
  viewId: string;
  values: ControlValues;
}

/** POST /_twin/view-close. `all` is the X, which closes the whole stack; else one view is closed. */
export interface ViewCloseRequest {
  actor?: string;
  viewId: string;
  all?: boolean;
}

/** POST /_twin/shortcut: message shortcuts name `channel` and `ts`, global ones neither. */
export interface ShortcutRequest {
  actor?: string;
  callbackId: string;
  channel?: string;
  ts?: string;
}

/** POST /_twin/options for an external select: what was typed so far. */
export interface OptionsRequest {
  actor?: string;
  channel?: string;
  ts?: string;
  viewId?: string;
  blockId: string;
  actionId: string;
  query: string;
}

/** POST /_twin/home-open: fires `app_home_opened`. */
export interface HomeOpenRequest {
  actor?: string;
  tab?: "home" | "messages";
}

/** POST /_twin/join, /_twin/leave: the actor joins or leaves; `user` invites or removes somebody else (also the bot). */
export interface MembershipRequest {
  actor?: string;
  channel: string;
  user?: string;
}

/** POST /_twin/reaction */
export interface ReactionRequest {
  actor?: string;
  channel: string;
  ts: string;
  name: string;
  remove?: boolean;
}

export type ControlAnswer<T = object> = ({ ok: true } & T) | ControlRefusal;
export interface ControlRefusal {
  ok: false;
  /** Stable code, e.g. `operation_timeout`, `dispatch_failed`, `command_in_thread`, `confirmation_required`. */
  error: string;
  /** Sentence for the person. */
  message: string;
  /** By block id: what a client-side check of a modal found. */
  fieldErrors?: Record<string, string>;
}

/** Answer to commands, actions, shortcuts. */
export type DispatchAnswer = ControlAnswer<{ ackMs: number }>;
/** Answer to /_twin/message. */
export type MessageAnswer = ControlAnswer<{ ts: string }>;
/** Answer to /_twin/view-submit; the new state of the stack is in the next state. */
export type ViewSubmitAnswer = ControlAnswer<{
  ackMs: number;
  outcome: "closed" | "cleared" | "errors" | "updated" | "pushed";
}>;
/** Answer to /_twin/options. */
export type OptionsAnswer = ControlAnswer<{
  options: OptionState[];
  groups: { label: string; options: OptionState[] }[];
}>;
export interface OptionState {
  text: string;
  value: string;
  description: string | null;
}

/** GET /_twin/journal?since=<seq>&limit=<n>: newest last. */
export interface JournalPage {
  entries: JournalEntry[];
  lastSeq: number;
}
export interface JournalEntry {
  seq: number;
  atMs: number;
  kind:
    | "call"
    | "envelope"
    | "ack"
    | "connection"
    | "http-event"
    | "response-url"
    | "upload"
    | "change"
    | "fault"
    | "flag"
    | "clock";
  /** Method, envelope type or path. */
  name: string;
  /** Anything to see when the line is opened; secrets are masked. */
  detail: JsonObject;
  ok: boolean;
  error: string | null;
  /** Time to the ack for envelopes (red above 3,000, amber above 1,000), duration for calls. */
  tookMs: number | null;
}

/** GET /_twin/ledgers */
export interface Ledgers {
  notifications: NotificationEntry[];
  lint: LintEntry[];
  /** Protocol mistakes of the bot: bad acks, unknown error blocks. A test fails on any. */
  flags: { seq: number; atMs: number; code: string; message: string }[];
}
export interface NotificationEntry {
  seq: number;
  atMs: number;
  channel: string;
  ts: string;
  author: string;
  /** Whose phone would have buzzed. */
  users: string[];
  reason:
    | "user-mention"
    | "group-mention"
    | "here"
    | "channel"
    | "everyone"
    | "auto-parsed"
    | "thread-follower"
    | "direct-message";
  /** The characters that did it; empty for followers and DMs. */
  text: string;
  /** JSON pointer into the message. */
  pointer: string;
}
export interface LintEntry {
  seq: number;
  atMs: number;
  rule: string;
  message: string;
  channel: string | null;
  ts: string | null;
  pointer: string | null;
}

/** GET /_twin/buckets */
export interface BucketState {
  method: string;
  /** Channel id for chat.postMessage, host for response URLs, else null. */
  key: string | null;
  limitPerMinute: number;
  used: number;
  throttled: number;
}
export interface Buckets {
  mode: RateMode;
  buckets: BucketState[];
}
export type RateMode = "floor" | "burst" | "non-marketplace" | "off";

export type { Fault, FaultSwitch, Faults } from "./fault-kinds.ts";

/** POST /_twin/clock: freeze, let run again, or move forward. Timers that fall due fire in order. */
export interface ClockRequest {
  frozen?: boolean;
  advanceMs?: number;
}
