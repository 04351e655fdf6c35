import { z } from "zod";
import { limits } from "../core/limits.ts";
import { Fault } from "../core/result.ts";
import type { Person } from "../core/rights.ts";
import type { Clock, Log } from "../ports.ts";
import type { SlackApi } from "./clients.ts";

import type { Problem } from "./problems.ts";

export interface PeopleLookup {
  /** Who a user id is now. Throws `Fault` slack-unavailable when Slack cannot say: nobody is taken on trust. */
  person(userId: string): Promise<Person>;
  /** Who is in a group has changed. */
  forgetGroup(groupId: string): void;
}

export interface PeopleDeps {
  api: SlackApi;
  clock: Clock;
  log: Log;
  /** The groups the config names; no others are asked for. */
  groups: string[];
  /** Our workspace; null until it is known. */
  teamId: () => string | null;
}

export function createPeople(deps: PeopleDeps): PeopleLookup {
  const members = new Map<string, { users: Promise<ReadonlySet<string>>; atMs: number }>();
  const membersOf = (group: string): Promise<ReadonlySet<string>> => {
    const known = members.get(group);
    if (known && deps.clock.nowMs() - known.atMs < limits.slackGroupCacheMs) return known.users;
    const users = readGroup(deps, group);
    members.set(group, { users, atMs: deps.clock.nowMs() });
    users.catch(() => members.delete(group));
    return users;
  };
  return {
    async person(userId) {
      const [user, ...groups] = await Promise.all([readUser(deps, userId), ...deps.groups.map(membersOf)]);
      return {
        userId,
        name: user.profile?.display_name || user.real_name || user.name || null,
        groups: deps.groups.filter((_, index) => groups[index]?.has(userId)),
        isBot: user.is_bot === true || userId === "USLACKBOT",
        isGuest: user.is_restricted === true || user.is_ultra_restricted === true,
        isDeactivated: user.deleted === true,
        isExternal: isExternal(user, deps.teamId()),
      };
    },
    forgetGroup: (group) => void members.delete(group),
  };
}

const userSchema = z.object({
  name: z.string().optional(),
  real_name: z.string().optional(),
  team_id: z.string().optional(),
  deleted: z.boolean().optional(),
  is_bot: z.boolean().optional(),
  is_restricted: z.boolean().optional(),
  is_ultra_restricted: z.boolean().optional(),
  is_stranger: z.boolean().optional(),
  profile: z.object({ display_name: z.string().optional() }).optional(),
  enterprise_user: z.object({ teams: z.array(z.string()).optional() }).optional(),
});
type User = z.infer<typeof userSchema>;

async function readUser(deps: PeopleDeps, userId: string): Promise<User> {
  const answer = await deps.api.call("users.info", { user: userId }, "interactive");
  if (!answer.ok) throw unknown(`who ${userId} is`, answer.problem);
  const user = userSchema.safeParse(answer.data["user"]);
  if (!user.success) throw unknown(`who ${userId} is`, null);
  return user.data;
}

/** Groups are a paid feature and may be deleted: then nobody is in them. Any other failure is not taken for "no". */
async function readGroup(deps: PeopleDeps, group: string): Promise<ReadonlySet<string>> {
  const answer = await deps.api.call("usergroups.users.list", { usergroup: group }, "interactive");
  if (answer.ok) {
    const users = answer.data["users"];
    return new Set(Array.isArray(users) ? users.map(String) : []);
  }
  const { problem } = answer;
  if (problem.kind !== "policy") throw unknown(`who is in the user group ${group}`, problem);
  deps.log.warn({ group, code: problem.code }, "a user group of the config cannot be read; nobody counts as in it");
  return new Set();
}

/** People of other workspaces in shared channels. Within one Enterprise organisation a person has several teams. */
function isExternal(user: User, teamId: string | null): boolean {
  if (user.is_stranger === true) return true;
  if (teamId === null || user.team_id === undefined || user.team_id === teamId) return false;
  return !(user.enterprise_user?.teams ?? []).includes(teamId);
}

function unknown(what: string, problem: Problem | null): Fault {
  const code = problem === null ? "an answer of no known shape" : problem.code;
  const passing = problem === null || problem.kind === "retry";
  const next = passing ? "Try again in a moment." : "Ask whoever runs room137 to look at the app's scopes and token.";
  return new Fault("slack-unavailable", `Slack did not say ${what}: ${code}.`, `Nothing was done. ${next}`);
}
