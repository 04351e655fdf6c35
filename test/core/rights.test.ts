import { describe, expect, it } from "vitest";
import { actionNames } from "../../src/core/actions.ts";
import { matchesPattern } from "../../src/core/propose.ts";
import { mayDo, type RightsPolicy, type RightsRule, type RightsTarget, type Verb } from "../../src/core/rights.ts";
import { person } from "../fakes/fake-room.ts";

const eve = person("UEVE", { groups: ["SDEV"] });
const prod = { name: "h1", labels: { env: "prod", zone: "a" } };
const stage = { name: "h2", labels: { env: "stage" } };

function rule(change: Partial<RightsRule>): RightsRule {
  return {
    who: ["UEVE"],
    verbs: ["approve"],
    hosts: {},
    containers: ["*"],
    actions: [...actionNames],
    deny: false,
    ...change,
  };
}

function allowed(policy: Partial<RightsPolicy>, verb: Verb, target: Partial<RightsTarget> = {}, who = eve): boolean {
  const whole = { host: prod, container: "db", action: "start" as const, ...target };
  return mayDo({ approvers: [], rules: [], ...policy }, who, verb, whole).allowed;
}

describe("without rules", () => {
  it("lets people look and note, and nobody approve or administer", () => {
    expect((["look", "note", "approve", "administer"] as const).map((verb) => allowed({}, verb))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it("lets the approvers approve and administer, by user and by group", () => {
    for (const approvers of [["UEVE"], ["SDEV"]]) {
      expect(allowed({ approvers }, "approve")).toBe(true);
      expect(allowed({ approvers }, "administer", { host: null, container: null, action: null })).toBe(true);
    }
    expect(allowed({ approvers: ["UEVEN", "SDE", "*"] }, "approve")).toBe(false);
  });
});

describe("a rule that allows", () => {
  const cases: [string, Partial<RightsRule>, Partial<RightsTarget>, boolean][] = [
    ["covers every target by default", {}, {}, true],
    ["does not cover another verb", { verbs: ["look"] }, {}, false],
    ["does not cover another person", { who: ["UBOB", "SOPS"] }, {}, false],
    ["covers a group", { who: ["SDEV"] }, {}, true],
    ["covers a host with all its labels", { hosts: { env: "prod", zone: "a" } }, {}, true],
    ["does not cover a host with one label of two", { hosts: { env: "prod", zone: "b" } }, {}, false],
    ["does not cover a host by an inherited name", { hosts: { constructor: "x" } }, {}, false],
    ["covers a container by its pattern", { containers: ["web", "d*"] }, {}, true],
    ["does not cover a container beside its pattern", { containers: ["d"] }, {}, false],
    ["covers the named action", { actions: ["start"] }, {}, true],
    ["does not cover another action", { actions: ["restart"] }, {}, false],
    ["does not cover all hosts when it names labels", { hosts: { env: "prod" } }, { host: null }, false],
    ["does not cover all containers when it names some", { containers: ["d*"] }, { container: null }, false],
    ["covers all containers with a star", { containers: ["x", "*"] }, { container: null }, true],
    ["does not cover all actions when it names some", { actions: ["start"] }, { action: null }, false],
    ["covers all actions when it names all", {}, { action: null }, true],
  ];
  it.each(cases)("%s", (_, change, target, expected) => {
    expect(allowed({ rules: [rule(change)] }, "approve", target)).toBe(expected);
  });

  it("closes a verb that was open to everybody for all others", () => {
    const rules = [rule({ verbs: ["look"], containers: ["web"] })];
    expect(allowed({ rules }, "look", { container: "web" })).toBe(true);
    expect(allowed({ rules }, "look", { container: "db" })).toBe(false);
    expect(allowed({ rules }, "look", { container: "web" }, person("UZOE"))).toBe(false);
    expect(allowed({ rules }, "note", { container: "db" })).toBe(true);
  });

  it("does not limit looking by its actions, nor administering by its containers", () => {
    expect(allowed({ rules: [rule({ verbs: ["look"], actions: ["restart"] })] }, "look")).toBe(true);
    const administer = rule({ verbs: ["administer"], containers: ["web"], actions: ["restart"] });
    expect(allowed({ rules: [administer] }, "administer")).toBe(true);
  });
});

describe("a rule that denies", () => {
  it("wins over the approvers and over every rule that allows, wherever it stands", () => {
    const deny = rule({ deny: true, containers: ["d*"] });
    for (const rules of [
      [deny, rule({})],
      [rule({}), deny],
    ]) {
      expect(allowed({ approvers: ["UEVE"], rules }, "approve")).toBe(false);
      expect(allowed({ approvers: ["UEVE"], rules }, "approve", { container: "web" })).toBe(true);
    }
  });

  const touching: [string, Partial<RightsRule>, Partial<RightsTarget>, boolean][] = [
    ["denies all hosts when it names some", { hosts: { env: "prod" } }, { host: null }, false],
    ["denies all containers when it names some", { containers: ["x"] }, { container: null }, false],
    ["denies all actions when it names some", { actions: ["restart"] }, { action: null }, false],
    ["leaves a host with other labels", { hosts: { env: "prod" } }, { host: stage }, true],
    ["leaves another action", { actions: ["restart"] }, {}, true],
    ["leaves another person", { who: ["UBOB"] }, {}, true],
    ["leaves another verb", { verbs: ["look"] }, {}, true],
  ];
  it.each(touching)("%s", (_, change, target, expected) => {
    const rules = [rule({}), rule({ ...change, deny: true })];
    expect(allowed({ rules }, "approve", target)).toBe(expected);
  });

  it("denies looking and noting too, and keeps them open to the others", () => {
    const rules = [rule({ deny: true, verbs: ["look"] })];
    expect(allowed({ rules }, "look")).toBe(false);
    expect(allowed({ rules }, "look", {}, person("UZOE"))).toBe(true);
    expect(
      allowed(
        { rules: [rule({ deny: true, verbs: ["administer"], containers: ["x"] })], approvers: ["UEVE"] },
        "administer",
      ),
    ).toBe(false);
  });
});

it("gives bots, the deactivated and other workspaces nothing, and guests no decisions", () => {
  const policy = { approvers: ["UEVE"], rules: [rule({ verbs: ["look", "note", "approve", "administer"] })] };
  const able = (who: typeof eve) =>
    (["look", "note", "approve", "administer"] as const).filter((verb) => allowed(policy, verb, {}, who));
  expect(able(eve)).toHaveLength(4);
  expect(able({ ...eve, isGuest: true })).toEqual(["look", "note"]);
  for (const bar of [{ isBot: true }, { isDeactivated: true }, { isExternal: true }, { userId: "" }]) {
    expect(able({ ...eve, ...bar })).toEqual([]);
  }
});

it("says which rule or list decided", () => {
  const target = { host: prod, container: "db", action: null };
  const said = (rules: RightsRule[], approvers: string[] = []) =>
    mayDo({ rules, approvers }, eve, "approve", target).because;
  expect(said([], ["SDEV"])).toBe("you are among approvals.approvers");
  expect(said([])).toContain("not among approvals.approvers");
  expect(said([rule({ who: ["SDEV"], hosts: { env: "prod" } })])).toBe(
    "the rule for SDEV allows approve on hosts with env=prod, containers *",
  );
  expect(said([rule({ deny: true, containers: ["d*", "x"] })])).toBe(
    "the rule for UEVE denies approve on every host, containers d*, x",
  );
});

it("matches names by `*` and `?` alone, and stays quick on a hostile pattern", () => {
  const yes: [string, string][] = [
    ["*", ""],
    ["*-primary", "pg-primary"],
    ["db-?", "db-1"],
    ["a*b*c", "axxbyyc"],
    ["a*", "a"],
    ["**", "x"],
    ["a.b", "a.b"],
  ];
  const no: [string, string][] = [
    ["*-primary", "pg-primary-2"],
    ["db-?", "db-"],
    ["db-?", "db-12"],
    ["a*b", "ab-c"],
    ["a.b", "axb"],
    ["", "x"],
    ["a", ""],
    ["ab*ab", "ab"],
  ];
  for (const [pattern, name] of yes)
    expect([pattern, name, matchesPattern(pattern, name)]).toEqual([pattern, name, true]);
  for (const [pattern, name] of no)
    expect([pattern, name, matchesPattern(pattern, name)]).toEqual([pattern, name, false]);
  expect(matchesPattern(`${"*a".repeat(60)}b`, "a".repeat(20_000))).toBe(false);
});

describe("the answer", () => {
  const because = (policy: Partial<RightsPolicy>, verb: Verb, who = eve, target: Partial<RightsTarget> = {}) =>
    mayDo({ approvers: [], rules: [], ...policy }, who, verb, {
      host: prod,
      container: "db",
      action: "start",
      ...target,
    });

  it.each<[string, Parameters<typeof person>[1], Verb, string]>([
    ["a bot", { isBot: true }, "look", "bots may not do anything here"],
    ["a deactivated account", { isDeactivated: true }, "note", "this account is deactivated"],
    [
      "somebody of another workspace",
      { isExternal: true },
      "look",
      "people of another workspace may not do anything here",
    ],
    ["a guest who would approve", { isGuest: true }, "approve", "guests may not approve"],
    ["a guest who would administer", { isGuest: true }, "administer", "guests may not administer"],
  ])("says why %s is barred whatever the rules say", (_, bar, verb, sentence) => {
    const all = [rule({ verbs: ["look", "note", "approve", "administer"] })];
    expect(because({ approvers: ["UEVE"], rules: all }, verb, { ...eve, ...bar })).toEqual({
      allowed: false,
      because: sentence,
    });
  });

  it("does not take nobody for somebody", () => {
    expect(because({ approvers: [""] }, "approve", person(""))).toEqual({
      allowed: false,
      because: "it is not known who this is",
    });
  });

  it("names the rule, whom it is for, and where it holds", () => {
    const where = { hosts: { env: "prod", zone: "a" }, containers: ["db", "web"] };
    const on = "on hosts with env=prod and zone=a, containers db, web";
    const who = ["UEVE", "SDEV"];
    expect([
      because({ rules: [rule({ ...where, who })] }, "approve").because,
      because({ rules: [rule({ ...where, who, deny: true })] }, "approve").because,
      because({}, "look").because,
      because({ rules: [rule({ who: ["UBOB"], verbs: ["look"] })] }, "look").because,
      because({ approvers: ["UEVE"] }, "approve").because,
      because({}, "approve").because,
    ]).toEqual([
      `the rule for UEVE, SDEV allows approve ${on}`,
      `the rule for UEVE, SDEV denies approve ${on}`,
      "no rule limits who may look",
      "no rule allows you to look here",
      "you are among approvals.approvers",
      "you are not among approvals.approvers, and no rule allows you to approve here",
    ]);
  });

  it("takes a rule for every host as one for all hosts together, and a limited one not", () => {
    const everywhere = { host: null, container: null, action: null };
    const administer = rule({ verbs: ["administer"] });
    expect(because({ rules: [administer] }, "administer", eve, everywhere).allowed).toBe(true);
    expect(because({ rules: [{ ...administer, hosts: { env: "prod" } }] }, "administer", eve, everywhere).allowed).toBe(
      false,
    );
  });

  it("looks at the actions of a rule that denies for approvals alone", () => {
    const noActions = rule({ verbs: ["look"], actions: [], deny: true });
    expect(because({ rules: [noActions] }, "look").allowed).toBe(false);
  });
});
