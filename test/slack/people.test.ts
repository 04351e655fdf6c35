import { describe, expect, it } from "vitest";
import type { CallResult, SlackApi } from "../../src/slack/clients.ts";
import { createPeople } from "../../src/slack/people.ts";
import type { Problem } from "../../src/slack/problems.ts";
import { keepingLog, startMs } from "./open-edge.ts";

const problem = (kind: Problem["kind"], code: string): CallResult => ({
  ok: false,
  problem: { kind, code, messages: [], retryAfterMs: null, uncertain: false },
});

function opened(answers: Record<string, (args: Record<string, unknown>) => CallResult>, groups: string[] = []) {
  const asked: string[] = [];
  const clock = { ms: startMs, nowMs: () => clock.ms };
  const api: SlackApi = {
    call: async (method, args) => {
      asked.push(method);
      return answers[method]?.(args) ?? problem("policy", "unknown_method");
    },
    upload: async () => problem("policy", "no"),
    respond: async () => problem("policy", "no"),
  };
  return { people: createPeople({ api, clock, log: keepingLog(), groups, teamId: () => "T1" }), asked, clock };
}

const user = (more: object) => ({
  "users.info": () => ({ ok: true as const, data: { user: { team_id: "T1", ...more } } }),
});

describe("who somebody is", () => {
  it.each([
    [{ name: "ana", profile: { display_name: "Ana B." } }, { name: "Ana B." }],
    [{ name: "ana", profile: { display_name: "" }, real_name: "Ana" }, { name: "Ana" }],
    [{}, { name: null, isBot: false, isGuest: false, isDeactivated: false, isExternal: false }],
    [{ is_bot: true }, { isBot: true }],
    [{ is_restricted: true }, { isGuest: true }],
    [{ is_ultra_restricted: true }, { isGuest: true }],
    [{ deleted: true }, { isDeactivated: true }],
    [{ is_stranger: true }, { isExternal: true }],
    [{ team_id: "T2" }, { isExternal: true }],
    [{ team_id: "T2", enterprise_user: { teams: ["T1"] } }, { isExternal: false }],
  ])("%j is %j", async (given, expected) => {
    const { people } = opened(user(given));
    expect(await people.person("U1")).toMatchObject({ userId: "U1", ...expected });
  });

  it("is asked anew every time, because it may have changed since", async () => {
    const { people, asked } = opened(user({}));
    await people.person("U1");
    await people.person("U1");
    expect(asked).toEqual(["users.info", "users.info"]);
  });

  it("is not taken on trust while Slack cannot say", async () => {
    const down = opened({ "users.info": () => problem("retry", "http_503") });
    await expect(down.people.person("U1")).rejects.toMatchObject({ code: "slack-unavailable" });
    const odd = opened({ "users.info": () => ({ ok: true, data: { user: "root" } }) });
    await expect(odd.people.person("U1")).rejects.toMatchObject({ code: "slack-unavailable" });
  });
});

describe("groups", () => {
  const members = (lists: Record<string, string[]>) => ({
    ...user({}),
    "usergroups.users.list": ({ usergroup }: Record<string, unknown>): CallResult => ({
      ok: true,
      data: { users: lists[String(usergroup)] ?? [] },
    }),
  });

  it("are those of the config the person is in, remembered until they change or five minutes have passed", async () => {
    const lists: Record<string, string[]> = { S1: ["U1"], S2: ["U2"] };
    const { people, asked, clock } = opened(members(lists), ["S1", "S2"]);
    const reads = () => asked.filter((method) => method === "usergroups.users.list").length;
    expect((await people.person("U1")).groups).toEqual(["S1"]);
    lists["S2"] = ["U1"];
    expect((await people.person("U1")).groups).toEqual(["S1"]);
    expect(reads()).toBe(2);
    people.forgetGroup("S2");
    expect((await people.person("U1")).groups).toEqual(["S1", "S2"]);
    lists["S1"] = [];
    clock.ms += 300_000;
    expect((await people.person("U1")).groups).toEqual(["S2"]);
  });

  it("count as empty where the workspace has none, and as unknown where Slack does not answer", async () => {
    const without = opened({ ...user({}), "usergroups.users.list": () => problem("policy", "plan_upgrade_required") }, [
      "S1",
    ]);
    expect((await without.people.person("U1")).groups).toEqual([]);
    let down = true;
    const lists = members({ S1: ["U1"] });
    const flaky = opened(
      {
        ...lists,
        "usergroups.users.list": (args) =>
          down ? problem("retry", "ratelimited") : lists["usergroups.users.list"](args),
      },
      ["S1"],
    );
    await expect(flaky.people.person("U1")).rejects.toMatchObject({ code: "slack-unavailable" });
    down = false;
    expect((await flaky.people.person("U1")).groups).toEqual(["S1"]);
  });
});
