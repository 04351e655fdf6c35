/** What the room starts with. Ids are fixed so that a config file and a test can name them. */
export interface Seed {
  team: { id: string; name: string; domain: string };
  appId: string;
  users: SeedUser[];
  channels: SeedChannel[];
  userGroups: { id: string; handle: string; name: string; users: string[] }[];
  /** Text of our own app manifest, YAML or JSON. Commands, scopes, events, shortcuts and the Home tab follow from it. */
  manifest: string;
}

export interface SeedUser {
  id: string;
  name: string;
  realName: string;
  tz: string;
  email?: string;
  locale?: string;
  isBot?: boolean;
  isGuest?: boolean;
  deleted?: boolean;
}

export interface SeedChannel {
  id: string;
  name: string;
  type: "public" | "private" | "im";
  archived?: boolean;
  /** User ids; the bot is `botUserId`. */
  members: string[];
  topic?: string;
}

export const botUserId = "U0ROOM137";
export const botId = "B0ROOM137";

/** A small team with one of everything that a bot can trip over. */
export function defaultSeed(manifest: string): Seed {
  return {
    team: { id: "T0LOCAL", name: "Local room", domain: "local-room" },
    appId: "A0ROOM137",
    manifest,
    users: [
      { id: "U0ANA", name: "ana", realName: "Ana", tz: "Europe/Lisbon", email: "ana@example.com" },
      { id: "U0BEN", name: "ben", realName: "Ben", tz: "America/New_York", email: "ben@example.com" },
      { id: "U0CHI", name: "chi", realName: "Chi", tz: "Asia/Tokyo", email: "chi@example.com", locale: "ja-JP" },
      { id: "U0GUEST", name: "gus", realName: "Gus (guest)", tz: "UTC", isGuest: true },
      { id: "U0GONE", name: "old-otto", realName: "Otto (left)", tz: "UTC", deleted: true },
      { id: "U0DEPLOY", name: "deploybot", realName: "Deploy bot", tz: "UTC", isBot: true },
    ],
    channels: [
      { id: "C0GENERAL", name: "general", type: "public", members: ["U0ANA", "U0BEN", "U0CHI", "U0GUEST", "U0DEPLOY"] },
      {
        id: "C0INCIDENTS",
        name: "incidents",
        type: "public",
        members: ["U0ANA", "U0BEN", "U0CHI", botUserId],
        topic: "Type /why-500 web",
      },
      { id: "C0ONCALL", name: "on-call", type: "private", members: ["U0ANA", "U0BEN", botUserId] },
      { id: "C0SECRET", name: "leadership", type: "private", members: ["U0CHI"] },
      { id: "C0OLD", name: "old-incidents", type: "public", archived: true, members: ["U0ANA", botUserId] },
      { id: "D0ANA", name: "", type: "im", members: ["U0ANA", botUserId] },
    ],
    userGroups: [{ id: "S0ONCALL", handle: "on-call", name: "On call", users: ["U0BEN", "U0CHI"] }],
  };
}
