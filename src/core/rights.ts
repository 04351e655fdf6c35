import { type ActionName, actionNames } from "./actions.ts";
import { matchesPattern } from "./propose.ts";

/** A person as Slack knows them at the moment of asking or clicking; looked up fresh, never taken from a message. */
export interface Person {
  userId: string;
  name: string | null;
  /** User group ids (`S…`) the person is in now. */
  groups: string[];
  isBot: boolean;
  isGuest: boolean;
  isDeactivated: boolean;
  /** From another workspace (Slack Connect). */
  isExternal: boolean;
}

export type Verb = "look" | "note" | "approve" | "administer";

export interface RightsRule {
  /** User ids and user group ids. */
  who: string[];
  verbs: Verb[];
  /** Labels a host must all have; empty: every host. */
  hosts: Record<string, string>;
  /** Container name patterns. */
  containers: string[];
  actions: ActionName[];
  deny: boolean;
}

export interface RightsPolicy {
  /** May approve everything, and administer, unless a rule denies it. */
  approvers: string[];
  rules: RightsRule[];
}

/** What a right is wanted for. Null stands for all of them, so a right that is limited there does not suffice. */
export interface RightsTarget {
  host: { name: string; labels: Record<string, string> } | null;
  container: string | null;
  /** Looked at for `approve` alone. */
  action: ActionName | null;
}

export interface RightsAnswer {
  allowed: boolean;
  /** One sentence that names what decided. */
  because: string;
}

/**
 * May this person do this? Default deny, and a rule that denies wins over every other. Looking and noting are open to
 * people of the workspace until a rule gives that verb to somebody; from then on only to those.
 */
export function mayDo(policy: RightsPolicy, person: Person, verb: Verb, target: RightsTarget): RightsAnswer {
  const barred = barredPerson(person, verb);
  if (barred !== null) return { allowed: false, because: barred };
  const denied = denial(policy, person, verb, target);
  if (denied !== null) return { allowed: false, because: denied };
  const granted = ownRules(policy, person, verb).find((rule) => !rule.deny && covers(rule, verb, target));
  if (granted !== undefined) {
    return { allowed: true, because: `the rule for ${granted.who.join(", ")} allows ${verb} ${describe(granted)}` };
  }
  return withoutRule(policy, person, verb);
}

/** The rule that forbids it, as a sentence, or null. Nothing else a person may have outweighs it. */
export function denial(policy: RightsPolicy, person: Person, verb: Verb, target: RightsTarget): string | null {
  const rule = ownRules(policy, person, verb).find((own) => own.deny && touches(own, verb, target));
  return rule === undefined ? null : `the rule for ${rule.who.join(", ")} denies ${verb} ${describe(rule)}`;
}

function ownRules(policy: RightsPolicy, person: Person, verb: Verb): RightsRule[] {
  return policy.rules.filter((rule) => rule.verbs.includes(verb) && isAmong(person, rule.who));
}

/** Why this account can never do it, or null. Guests may look and note; only people of the workspace may decide. */
export function barredPerson(person: Person, verb: Verb): string | null {
  if (person.userId === "") return "it is not known who this is";
  if (person.isBot) return "bots may not do anything here";
  if (person.isDeactivated) return "this account is deactivated";
  if (person.isExternal) return "people of another workspace may not do anything here";
  if (person.isGuest && (verb === "approve" || verb === "administer")) return `guests may not ${verb}`;
  return null;
}

function withoutRule(policy: RightsPolicy, person: Person, verb: Verb): RightsAnswer {
  switch (verb) {
    case "look":
    case "note": {
      const given = policy.rules.some((rule) => !rule.deny && rule.verbs.includes(verb));
      return given
        ? { allowed: false, because: `no rule allows you to ${verb} here` }
        : { allowed: true, because: `no rule limits who may ${verb}` };
    }
    case "approve":
    case "administer":
      if (isAmong(person, policy.approvers)) return { allowed: true, because: "you are among approvals.approvers" };
      return {
        allowed: false,
        because: `you are not among approvals.approvers, and no rule allows you to ${verb} here`,
      };
  }
}

function isAmong(person: Person, who: readonly string[]): boolean {
  return who.includes(person.userId) || person.groups.some((group) => who.includes(group));
}

/** A rule that allows must cover all of what is wanted. */
function covers(rule: RightsRule, verb: Verb, target: RightsTarget): boolean {
  const host = target.host === null ? Object.keys(rule.hosts).length === 0 : hasLabels(rule, target.host.labels);
  if (!host || verb === "administer") return host;
  const container =
    target.container === null
      ? rule.containers.includes("*")
      : rule.containers.some((pattern) => matchesPattern(pattern, target.container as string));
  if (!container || verb !== "approve") return container;
  const wanted = target.action === null ? actionNames : [target.action];
  return wanted.every((action) => rule.actions.includes(action));
}

/** A rule that denies needs only to touch it. */
function touches(rule: RightsRule, verb: Verb, target: RightsTarget): boolean {
  if (target.host !== null && !hasLabels(rule, target.host.labels)) return false;
  if (verb === "administer") return true;
  const { container, action } = target;
  if (container !== null && !rule.containers.some((pattern) => matchesPattern(pattern, container))) return false;
  return verb !== "approve" || action === null || rule.actions.includes(action);
}

function hasLabels(rule: RightsRule, labels: Record<string, string>): boolean {
  return Object.entries(rule.hosts).every(([name, value]) => labels[name] === value);
}

function describe(rule: RightsRule): string {
  const labels = Object.entries(rule.hosts).map(([name, value]) => `${name}=${value}`);
  return `on ${labels.length === 0 ? "every host" : `hosts with ${labels.join(" and ")}`}, containers ${rule.containers.join(", ")}`;
}
