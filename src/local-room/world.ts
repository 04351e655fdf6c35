import type { Manifest } from "./manifest.ts";
import type { JsonObject } from "./protocol.ts";
import { botId, botUserId, type Seed, type SeedUser } from "./seed.ts";

/** Everything the stand-in remembers. Plain data; the families under api/ and interact/ change it. */
export interface World {
  team: Seed["team"];
  appId: string;
  botUserId: string;
  botId: string;
  users: Map<string, SeedUser>;
  userGroups: Map<string, Seed["userGroups"][number]>;
  channels: Map<string, Channel>;
  /** Messages per channel in order of posting, ephemeral ones included. */
  messages: Map<string, Message[]>;
  files: Map<string, StoredFile>;
  /** Modals per user, root first. */
  stacks: Map<string, View[]>;
  homes: Map<string, View>;
  scheduled: Map<string, { id: string; channel: string; postAt: number; args: JsonObject; cancel: () => void }>;
  canvases: Map<string, { id: string; channel: string | null; markdown: string }>;
  bookmarks: Map<string, JsonObject>;
}

export interface Channel {
  id: string;
  name: string;
  type: "public" | "private" | "im";
  archived: boolean;
  members: Set<string>;
  topic: string;
  purpose: string;
  createdSeconds: number;
  creator: string;
  canvasId: string | null;
  status: Map<string, { text: string; cancel: () => void }>;
}

export interface Message {
  channel: string;
  ts: string;
  threadTs: string | null;
  user: string;
  fromApp: boolean;
  subtype: string | null;
  text: string;
  blocks: JsonObject[] | null;
  attachments: JsonObject[] | null;
  metadata: JsonObject | null;
  edited: { user: string; ts: string } | null;
  tombstone: boolean;
  broadcast: boolean;
  /** Only this person sees it, until their page is loaded again. */
  ephemeralFor: string | null;
  reactions: Map<string, Set<string>>;
  pinned: boolean;
  files: string[];
  clientMsgId: string | null;
  streaming: "open" | "done" | "stopped" | null;
  linkNames: boolean;
  parse: string;
  postedAtMs: number;
}

export interface StoredFile {
  id: string;
  ticket: string;
  name: string;
  title: string;
  mimetype: string;
  sizeBytes: number;
  altText: string | null;
  snippetType: string | null;
  bytes: Buffer | null;
  completed: boolean;
  channels: string[];
  user: string;
  createdSeconds: number;
  expiresAtMs: number;
}

export interface View {
  id: string;
  type: "modal" | "home";
  user: string;
  /** As sent, with generated block and action ids. */
  body: JsonObject;
  hash: string;
  externalId: string;
  rootViewId: string;
  previousViewId: string | null;
  errors: Record<string, string>;
  trouble: string | null;
  values: JsonObject;
  /** Options the bot gave for external selects, by `block/action`. */
  suggestions: Map<string, JsonObject[]>;
}

export function createWorld(seed: Seed, manifest: Manifest, nowMs: number): World {
  const bot: SeedUser = { id: botUserId, name: manifest.botName, realName: manifest.botName, tz: "UTC", isBot: true };
  const channels = seed.channels.map(
    (channel): Channel => ({
      id: channel.id,
      name: channel.name,
      type: channel.type,
      archived: channel.archived ?? false,
      members: new Set(channel.members),
      topic: channel.topic ?? "",
      purpose: "",
      createdSeconds: Math.floor(nowMs / 1000),
      creator: channel.members[0] ?? botUserId,
      canvasId: null,
      status: new Map(),
    }),
  );
  return {
    team: seed.team,
    appId: seed.appId,
    botUserId,
    botId,
    users: new Map([...seed.users, bot].map((user) => [user.id, user])),
    userGroups: new Map(seed.userGroups.map((group) => [group.id, { ...group }])),
    channels: new Map(channels.map((channel) => [channel.id, channel])),
    messages: new Map(channels.map((channel) => [channel.id, []])),
    files: new Map(),
    stacks: new Map(),
    homes: new Map(),
    scheduled: new Map(),
    canvases: new Map(),
    bookmarks: new Map(),
  };
}

export function findMessage(world: World, channel: string, ts: string): Message | null {
  return world.messages.get(channel)?.find((message) => message.ts === ts) ?? null;
}

/** Replies of a thread that anybody can see, oldest first, without the parent. */
export function repliesOf(world: World, channel: string, threadTs: string): Message[] {
  return (world.messages.get(channel) ?? []).filter(
    (message) => message.threadTs === threadTs && message.ts !== threadTs && message.ephemeralFor === null,
  );
}

export function isVisibleTo(channel: Channel, user: string): boolean {
  return channel.type === "public" || channel.members.has(user);
}

/** How Slack's payloads name a channel whose real name is not told. */
export function channelNameIn(channel: Channel, payload: "command" | "other"): string {
  if (channel.type === "im") return "directmessage";
  return channel.type === "private" && payload === "command" ? "privategroup" : channel.name;
}

export const channelTypeOf = (channel: Channel) => ({ public: "channel", private: "group", im: "im" })[channel.type];
