import { pageMax } from "../limits.ts";
import type { JsonObject } from "../protocol.ts";
import type { Room } from "../room.ts";
import type { SeedUser } from "../seed.ts";
import { type Answer, type Call, fail, flag, isFailure, type Method, ok, text } from "./method.ts";
import { page } from "./paging.ts";

export const userMethods: Record<string, Method> = {
  "users.info": {
    tier: 4,
    scopes: ["users:read"],
    token: "bot",
    get: true,
    json: false,
    required: ["user"],
    run: info,
  },
  "users.list": { tier: 2, scopes: ["users:read"], token: "bot", get: true, json: false, run: list },
  "users.lookupByEmail": {
    tier: 3,
    scopes: ["users:read.email"],
    token: "bot",
    get: true,
    json: false,
    required: ["email"],
    run: byEmail,
  },
  "usergroups.list": { tier: 2, scopes: ["usergroups:read"], token: "bot", get: true, json: false, run: groups },
  "usergroups.users.list": {
    tier: 2,
    scopes: ["usergroups:read"],
    token: "bot",
    get: true,
    json: false,
    required: ["usergroup"],
    run: groupUsers,
  },
  "bots.info": { tier: 3, scopes: ["users:read"], token: "bot", get: true, json: false, run: botInfo },
};

function info({ room, args }: Call): Answer {
  const user = room.world.users.get(text(args, "user") ?? "");
  return user ? ok({ user: userJson(room, user, flag(args, "include_locale") === true) }) : fail("user_not_found");
}

function list({ room, args }: Call): Answer {
  const cut = page(room, args, [...room.world.users.values()], pageMax);
  if (isFailure(cut)) return cut;
  const withLocale = flag(args, "include_locale") === true;
  return ok({
    members: cut.items.map((user) => userJson(room, user, withLocale)),
    cache_ts: Math.floor(room.clock.nowMs() / 1000),
    response_metadata: { next_cursor: cut.next },
  });
}

function byEmail({ room, args }: Call): Answer {
  const email = text(args, "email")?.toLowerCase();
  const user = [...room.world.users.values()].find(
    (candidate) => candidate.email?.toLowerCase() === email && !candidate.deleted,
  );
  return user ? ok({ user: userJson(room, user, false) }) : fail("users_not_found");
}

function userJson(room: Room, user: SeedUser, withLocale: boolean): JsonObject {
  const mayEmail = room.manifest.botScopes.includes("users:read.email");
  const profile: JsonObject = {
    title: "",
    phone: "",
    skype: "",
    status_text: "",
    status_emoji: "",
    status_expiration: 0,
    avatar_hash: "",
    real_name: user.realName,
    real_name_normalized: user.realName,
    display_name: user.name,
    display_name_normalized: user.name,
    team: room.world.team.id,
    ...(mayEmail && user.email ? { email: user.email } : {}),
    ...(user.id === room.world.botUserId ? { bot_id: room.world.botId, api_app_id: room.world.appId } : {}),
  };
  const common: JsonObject = {
    id: user.id,
    team_id: room.world.team.id,
    name: user.name,
    deleted: user.deleted ?? false,
    profile,
    is_bot: user.isBot ?? false,
    is_app_user: false,
    updated: 0,
  };
  // A deactivated account answers with much less. [D users.info]
  if (user.deleted) return common;
  return {
    ...common,
    color: "4bbe2e",
    real_name: user.realName,
    tz: user.tz,
    tz_label: user.tz,
    tz_offset: offsetSeconds(user.tz, room.clock.nowMs()),
    is_admin: false,
    is_owner: false,
    is_primary_owner: false,
    is_restricted: user.isGuest ?? false,
    is_ultra_restricted: false,
    is_email_confirmed: true,
    who_can_share_contact_card: "EVERYONE",
    ...(withLocale ? { locale: user.locale ?? "en-US" } : {}),
  };
}

function offsetSeconds(timeZone: string, nowMs: number): number {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" }).formatToParts(nowMs);
  const name = parts.find((part) => part.type === "timeZoneName")?.value ?? "GMT";
  const match = /GMT([+-])(\d\d):(\d\d)/.exec(name);
  if (!match) return 0;
  return (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3]) * 60);
}

function groups({ room, args }: Call): Answer {
  if (room.faults.on("planWithoutUserGroups")) return fail("plan_upgrade_required");
  const withUsers = flag(args, "include_users") === true;
  const usergroups = [...room.world.userGroups.values()].map((group) => ({
    id: group.id,
    team_id: room.world.team.id,
    is_usergroup: true,
    is_subteam: true,
    name: group.name,
    handle: group.handle,
    description: "",
    date_delete: 0,
    user_count: group.users.length,
    ...(withUsers ? { users: group.users } : {}),
  }));
  return ok({ usergroups });
}

function groupUsers({ room, args }: Call): Answer {
  if (room.faults.on("planWithoutUserGroups")) return fail("plan_upgrade_required");
  const group = room.world.userGroups.get(text(args, "usergroup") ?? "");
  return group ? ok({ users: group.users }) : fail("no_such_subteam");
}

function botInfo({ room, args }: Call): Answer {
  const { world } = room;
  const wanted = text(args, "bot") ?? world.botId;
  if (wanted !== world.botId) return fail("bot_not_found");
  return ok({
    bot: {
      id: world.botId,
      deleted: false,
      name: room.manifest.name,
      updated: 0,
      app_id: world.appId,
      user_id: world.botUserId,
      icons: {},
    },
  });
}
