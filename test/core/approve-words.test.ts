import { expect, it } from "vitest";
import { approvedPlan } from "../../src/core/approve.ts";
import type { Decision, JudgeRequest } from "../../src/core/judgement.ts";
import type { Person } from "../../src/core/rights.ts";
import { alice, bob, carol, person } from "../fakes/fake-room.ts";
import {
  approvals,
  approve,
  ask,
  decided,
  executed,
  glass,
  glassy,
  hash,
  open,
  plan,
  type Rows,
  two,
  voteOf,
} from "../fakes/judging.ts";
import { by, proposed, timeline } from "../fakes/timeline.ts";

const unchanged = "Nothing was changed and nothing runs.";
const dana = person("UDANA");
const glassUser = person("UGLASS");
const denyGlass = {
  rules: [
    {
      who: ["UGLASS"],
      verbs: ["approve" as const],
      hosts: {},
      containers: ["db"],
      actions: ["start" as const],
      deny: true,
    },
  ],
};

/** What a person reads is all they have to go by, so every refusal says what was found, what it means and what to do. */
it.each<[string, Rows, Person, Decision, Partial<JudgeRequest>, string, string, string, string]>([
  [
    "the asker's own approval",
    open,
    alice,
    approve,
    approvals({ approvers: ["UALICE"] }),
    "own-request",
    "You asked for this plan, and the person who asked cannot approve it.",
    unchanged,
    "Ask another approver to look at it.",
  ],
  [
    "an approval without the reason that is asked for",
    open,
    bob,
    { verb: "approve", reason: "  " },
    approvals({ requireReason: true }),
    "reason-required",
    "An approval needs a reason here.",
    unchanged,
    "Approve again and write one.",
  ],
  [
    "a second click while another vote is missing",
    [...two, voteOf("UBOB", 1, 2)],
    bob,
    approve,
    {},
    "already-voted",
    "You have approved this plan already.",
    "It counts once: 1 of 2 approvals are there.",
    "There is nothing more for you to do.",
  ],
  [
    "a second click after the decision",
    decided,
    bob,
    approve,
    {},
    "already-voted",
    "You have approved this plan already.",
    "It counted, once. Nothing runs a second time.",
    "There is nothing more for you to do.",
  ],
  [
    "a stranger's approval",
    open,
    dana,
    approve,
    {},
    "not-an-approver",
    "You may not approve this plan: you are not among approvals.approvers, and no rule allows you to approve here.",
    unchanged,
    "Ask one of the approvers, or /room137 can-i approve to see why.",
  ],
  [
    "breaking glass that this plan does not have",
    open,
    glassUser,
    glass,
    {},
    "not-allowed",
    "Breaking the glass is switched off here.",
    unchanged,
    "Ask an approver, or set approvals.breakGlass in the config.",
  ],
  [
    "breaking the glass by somebody who is not named for it",
    glassy,
    bob,
    glass,
    {},
    "not-an-approver",
    "You may not break the glass: you are not among approvals.breakGlass.users.",
    unchanged,
    "Ask an approver.",
  ],
  [
    "breaking the glass against a rule that denies it",
    glassy,
    glassUser,
    glass,
    approvals(denyGlass),
    "not-an-approver",
    "You may not break the glass: the rule for UGLASS denies approve on every host, containers db.",
    unchanged,
    "Ask an approver.",
  ],
  [
    "another name than the container's",
    glassy,
    glassUser,
    { ...glass, typed: "web" },
    {},
    "confirmation-wrong",
    "What was typed is not db.",
    unchanged,
    "Type db exactly, without anything around it.",
  ],
  [
    "breaking the glass without a reason",
    glassy,
    glassUser,
    { ...glass, reason: " " },
    {},
    "reason-required",
    "Breaking the glass needs a reason.",
    unchanged,
    "Try again and write one.",
  ],
])("explains %s", (_, rows, who, decision, change, code, found, means, next) => {
  const judgement = ask(rows, who, decision, change);
  expect("refusal" in judgement && judgement.refusal).toMatchObject({ code, found, means, next });
});

it("says what an approval led to", () => {
  const said = (rows: Rows, who: Person, decision: Decision) => {
    const judgement = ask(rows, who, decision);
    return "said" in judgement ? judgement.said : judgement.refusal.code;
  };
  const three: Rows = [proposed(plan, { quorum: 3 })];
  expect([
    said(open, bob, approve),
    said(two, bob, approve),
    said(three, bob, approve),
    said(glassy, glassUser, glass),
  ]).toEqual([
    "Approved. The preconditions are read again, then it runs.",
    "Your approval counts: 1 of 2. 1 more is needed.",
    "Your approval counts: 1 of 3. 2 more are needed.",
    "The glass is broken: this runs on your word alone, and the timeline says so.",
  ]);
});

it("lets a guest ask for a new plan of an expired one, and decide nothing", () => {
  const guest = person("UALICE", { isGuest: true });
  const nowMs = Number.MAX_SAFE_INTEGER;
  expect(ask([...open, { kind: "expired", hash }], guest, { verb: "replan" }, { nowMs })).toMatchObject({
    follow: "investigate",
  });
  expect(ask(open, guest, approve)).toMatchObject({ refusal: { code: "not-a-person" } });
});

it("counts a vote for the plan it was given for, not for the one that replaced it", () => {
  const other = { ...plan, hash: "e".repeat(64) };
  const vote = { kind: "approved" as const, reason: null, votes: 1, quorum: 2 };
  const rows: Rows = [...two, voteOf("UBOB", 1, 2), proposed(other, { quorum: 1 })];
  expect(ask(rows, bob, approve)).toMatchObject({ refusal: { code: "plan-superseded" } });
  expect(ask(rows, carol, approve, { hash: other.hash })).toMatchObject({ follow: "execute" });
  const voted: Rows = [...open, proposed(other, { quorum: 2 }), by("UBOB", { ...vote, hash: other.hash })];
  expect(ask(voted, bob, approve)).toMatchObject({ refusal: { code: "plan-superseded" } });
  expect(ask(voted, bob, approve, { hash: other.hash })).toMatchObject({ refusal: { code: "already-voted" } });
});

it("has nothing to run before a decision, and nothing without an incident", () => {
  expect([approvedPlan([]), approvedPlan(timeline(...open)), approvedPlan(timeline(...executed))]).toEqual([
    null,
    null,
    null,
  ]);
  expect(approvedPlan(timeline(...decided))).toMatchObject({ hash, approvers: ["UBOB"] });
});
