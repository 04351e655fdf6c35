import { describe, expect, it } from "vitest";
import { approvedPlan, breakGlassPhrase, judge } from "../../src/core/approve.ts";
import type { EntryBody } from "../../src/core/incident.ts";
import type { ApprovalPolicy, Decision, JudgeRequest } from "../../src/core/judgement.ts";
import type { RemediationPlan } from "../../src/core/plan.ts";
import type { Person } from "../../src/core/rights.ts";
import { fakeHost } from "../fakes/fake-host.ts";
import { alice, bob, carol, gib, person } from "../fakes/fake-room.ts";
import { threeSteps } from "../fakes/three-steps.ts";
import { by, expiresAtMs, incidentOf, proposed, timeline } from "../fakes/timeline.ts";
import { askedAtMs } from "./scene.ts";

const plan = threeSteps(fakeHost({ nowMs: () => askedAtMs }));
const { hash } = plan;

const policy: ApprovalPolicy = {
  approvals: {
    approvers: ["UBOB", "UCAROL", "SONCALL"],
    rules: [],
    quorumByRisk: { low: 1, medium: 2, high: 2 },
    allowSelfApproval: false,
    requireReason: false,
    expiresAfterMs: 30 * 60_000,
    breakGlass: { enabled: true, users: ["UGLASS", "UALICE"] },
  },
  actions: {
    maxMemoryBytes: 8 * gib,
    maxHostMemoryPercent: 80,
    protectedContainers: [],
    policyVersion: "p1",
  },
};

const approve: Decision = { verb: "approve", reason: null };
const glass: Decision = { verb: "break-glass", typed: "db", reason: "the on-call is asleep" };

type Rows = Parameters<typeof incidentOf>;

function ask(rows: Rows, who: Person, decision: Decision, change: Partial<JudgeRequest> = {}) {
  return judge({
    incident: incidentOf(...rows),
    hash,
    by: who,
    decision,
    policy,
    frozen: null,
    labels: () => ({ env: "prod" }),
    nowMs: askedAtMs + 60_000,
    ...change,
  });
}

function approvals(change: Partial<ApprovalPolicy["approvals"]>): Partial<JudgeRequest> {
  return { policy: { ...policy, approvals: { ...policy.approvals, ...change } } };
}

function actions(change: Partial<ApprovalPolicy["actions"]>): Partial<JudgeRequest> {
  return { policy: { ...policy, actions: { ...policy.actions, ...change } } };
}

const open: Rows = [proposed(plan)];
const two: Rows = [proposed(plan, { quorum: 2 })];
const glassy: Rows = [proposed(plan, { breakGlass: true })];
const voteOf = (userId: string, votes = 1, quorum = 1) =>
  by(userId, { kind: "approved", hash, reason: null, votes, quorum });
const decided: Rows = [...open, voteOf("UBOB"), by("UBOB", { kind: "decided", hash, approvers: ["UBOB"] })];
const started = (step: number): EntryBody => ({
  kind: "step-started",
  hash,
  step,
  action: plan.steps[step]?.action as never,
});
const done = (step: number): EntryBody => ({
  kind: "step-done",
  hash,
  step,
  action: plan.steps[step]?.action as never,
  readBack: "ok",
  resumed: false,
});
const executed: Rows = [...decided, done(0), done(1), done(2), { kind: "executed", hash }];
const verified: Rows = [...executed, { kind: "verified", hash, outcome: "not-recovered", probes: [], changes: [] }];

describe("approving", () => {
  it("decides with the first vote where one is enough", () => {
    expect(ask(open, bob, { verb: "approve", reason: " seen it " })).toMatchObject({
      bodies: [
        { kind: "approved", hash, reason: "seen it", votes: 1, quorum: 1 },
        { kind: "decided", hash, approvers: ["UBOB"] },
      ],
      follow: "execute",
    });
  });

  it("waits for the second of two, and decides with it", () => {
    const first = ask(two, bob, approve);
    expect(first).toMatchObject({ bodies: [{ kind: "approved", votes: 1, quorum: 2 }], follow: "nothing" });
    expect(first.bodies).toHaveLength(1);
    expect(first).toHaveProperty("said", "Your approval counts: 1 of 2. 1 more is needed.");
    expect(ask([...two, voteOf("UBOB", 1, 2)], carol, approve)).toMatchObject({
      bodies: [
        { kind: "approved", votes: 2 },
        { kind: "decided", approvers: ["UBOB", "UCAROL"] },
      ],
      follow: "execute",
    });
  });

  it("counts somebody who is in a user group that may approve", () => {
    expect(ask(open, person("UDAVE", { groups: ["SONCALL"] }), approve)).toMatchObject({ follow: "execute" });
  });

  it("lets the person who asked approve only where the config says so", () => {
    const approver = { ...alice, groups: ["SONCALL"] };
    expect(ask(open, approver, approve)).toMatchObject({ refusal: { code: "own-request" } });
    expect(ask(open, approver, approve, approvals({ allowSelfApproval: true }))).toMatchObject({ follow: "execute" });
  });

  it("asks for a reason where the policy does, and for more than blanks", () => {
    const needed = approvals({ requireReason: true });
    for (const reason of [null, "", "  \n"]) {
      expect(ask(open, bob, { verb: "approve", reason }, needed)).toMatchObject({
        refusal: { code: "reason-required" },
      });
    }
    expect(ask(open, bob, { verb: "approve", reason: "x".repeat(900) }, needed).bodies[0]).toHaveProperty(
      "reason",
      "x".repeat(500),
    );
  });

  const refused: [string, Rows, Person, string, Partial<JudgeRequest>?][] = [
    ["a stranger", open, person("UEVE"), "not-an-approver"],
    ["anybody while there are no approvers", open, bob, "not-an-approver", approvals({ approvers: [] })],
    ["a bot among the approvers", open, { ...bob, isBot: true }, "not-a-person"],
    ["a guest among the approvers", open, { ...bob, isGuest: true }, "not-a-person"],
    ["a deactivated approver", open, { ...bob, isDeactivated: true }, "not-a-person"],
    ["an approver of another workspace", open, { ...bob, isExternal: true }, "not-a-person"],
    ["nobody in particular", open, person(""), "not-a-person"],
    ["a forged hash", open, bob, "plan-superseded", { hash: "f".repeat(64) }],
    ["a hash that is only longer", open, bob, "plan-superseded", { hash: `${hash}0` }],
    ["a click before there is a plan", [], bob, "nothing-to-do"],
    ["the same voter again", [...two, voteOf("UBOB", 1, 2)], bob, "already-voted"],
    ["the same voter after the decision", decided, bob, "already-voted"],
    ["a second approver after the decision", decided, carol, "already-decided"],
    ["a click after the run", executed, carol, "already-decided"],
    ["a rejected plan", [...open, { kind: "rejected", hash, reason: null }], bob, "already-decided"],
    ["an expired plan", [...open, { kind: "expired", hash }], bob, "plan-expired"],
    ["a stale plan", [...open, { kind: "stale", hash, changed: [] }], bob, "plan-stale"],
    ["an aborted plan", [...decided, { kind: "aborted", hash, before: 1, why: "" }], carol, "already-decided"],
    [
      "a plan that was set aside",
      [...open, { kind: "plan-changed", fromHash: hash, reason: "" }],
      bob,
      "plan-superseded",
    ],
    ["any click once it is closed", [...open, { kind: "closed", reason: "" }], bob, "nothing-to-do"],
    ["a frozen fleet", open, bob, "frozen", { frozen: { by: "carol", atMs: 0, reason: null } }],
    ["a protected container", open, bob, "protected-container", actions({ protectedContainers: ["d?"] })],
    ["a size over the policy", open, bob, "over-policy", actions({ maxMemoryBytes: gib - 1 })],
    ["a plan judged by an older policy", open, bob, "plan-stale", actions({ policyVersion: "p2" })],
  ];
  it.each(refused)("refuses %s", (_, rows, who, code, change) => {
    const judgement = ask(rows, who, approve, change);
    expect(judgement).toMatchObject({ refusal: { refused: true, code } });
    expect(judgement.bodies.filter((body) => body.kind === "approved" || body.kind === "decided")).toEqual([]);
    const { refusal } = judgement as Extract<typeof judgement, { refusal: unknown }>;
    for (const text of [refusal.found, refusal.means, refusal.next]) expect(text).toMatch(/^\S.*[.…]$|can-i|unfreeze/);
  });

  it("is in time until the very moment of expiry, and records the expiry that a late click brings to light", () => {
    expect(ask(open, bob, approve, { nowMs: expiresAtMs - 1 })).toMatchObject({ follow: "execute" });
    expect(ask(open, bob, approve, { nowMs: expiresAtMs })).toMatchObject({
      refusal: { code: "plan-expired" },
      bodies: [{ kind: "expired", hash }],
    });
  });

  it("records as stale what a changed policy makes stale", () => {
    expect(ask(open, bob, approve, actions({ policyVersion: "p2" })).bodies).toMatchObject([{ kind: "stale", hash }]);
  });

  it("takes a size exactly at the ceiling, and none above what the host could give", () => {
    expect(ask(open, bob, approve, actions({ maxMemoryBytes: gib }))).toMatchObject({ follow: "execute" });
    const small: RemediationPlan = { ...plan, memoryChoice: { floorBytes: 1, ceilingBytes: gib - 1 } };
    expect(ask([proposed(small)], bob, approve)).toMatchObject({ refusal: { code: "over-policy" } });
  });

  it("lets a rule that denies one action, host or container outweigh everything that allows", () => {
    const deny = { who: ["UBOB"], verbs: ["approve" as const], hosts: {}, deny: true };
    const all = ["update-memory", "update-restart-policy", "start"] as const;
    const rules = [
      { ...deny, containers: ["*"], actions: ["start" as const] },
      { ...deny, containers: ["d*"], actions: [...all] },
      { ...deny, containers: ["*"], actions: [...all], hosts: { env: "prod" } },
    ];
    for (const rule of rules) {
      expect(ask(open, bob, approve, approvals({ rules: [rule] }))).toMatchObject({
        refusal: { code: "not-an-approver" },
      });
      expect(ask(open, carol, approve, approvals({ rules: [rule] }))).toMatchObject({ follow: "execute" });
    }
  });

  it("needs the right to every step, not just to the first", () => {
    const rule = { who: ["UEVE"], verbs: ["approve" as const], hosts: {}, containers: ["*"], deny: false };
    const some = approvals({ rules: [{ ...rule, actions: ["update-memory", "update-restart-policy"] }] });
    const whole = approvals({ rules: [{ ...rule, actions: ["update-memory", "update-restart-policy", "start"] }] });
    expect(ask(open, person("UEVE"), approve, some)).toMatchObject({ refusal: { code: "not-an-approver" } });
    expect(ask(open, person("UEVE"), approve, whole)).toMatchObject({ follow: "execute" });
  });
});

describe("breaking the glass", () => {
  const user = person("UGLASS");

  it("runs on one word, loudly, for who is named, also for whoever asked", () => {
    for (const who of [user, alice]) {
      expect(ask(glassy, who, glass)).toMatchObject({
        bodies: [
          { kind: "break-glass", hash, typed: "db", reason: "the on-call is asleep" },
          { kind: "decided", hash, approvers: [who.userId] },
        ],
        follow: "execute",
      });
    }
  });

  it("wants the name of the container that is acted on first", () => {
    expect(breakGlassPhrase({ plan })).toBe("db");
    expect(breakGlassPhrase({ plan: { ...plan, steps: [] } })).toBe("");
  });

  const refused: [string, Rows, Person, Decision, string, Partial<JudgeRequest>?][] = [
    [
      "when it is off",
      glassy,
      user,
      glass,
      "not-allowed",
      approvals({ breakGlass: { enabled: false, users: ["UGLASS"] } }),
    ],
    ["when it was off as the plan was made", open, user, glass, "not-allowed"],
    ["an approver who is not named", glassy, bob, glass, "not-an-approver"],
    ["a bot that is named", glassy, { ...user, isBot: true }, glass, "not-a-person"],
    ["another word", glassy, user, { ...glass, typed: "DB" }, "confirmation-wrong"],
    ["the word with blanks around it", glassy, user, { ...glass, typed: " db" }, "confirmation-wrong"],
    ["no reason", glassy, user, { ...glass, reason: " " }, "reason-required"],
    ["another plan's button", glassy, user, glass, "plan-superseded", { hash: "0" }],
    ["a freeze", glassy, user, glass, "frozen", { frozen: { by: "x", atMs: 0, reason: "y" } }],
    ["a protected container", glassy, user, glass, "protected-container", actions({ protectedContainers: ["db"] })],
    ["after it has expired", glassy, user, glass, "plan-expired", { nowMs: expiresAtMs }],
    [
      "twice",
      [...glassy, by("UGLASS", { kind: "decided", hash, approvers: ["UGLASS"] })],
      user,
      glass,
      "already-decided",
    ],
    [
      "somebody whom a rule denies it",
      glassy,
      user,
      glass,
      "not-an-approver",
      approvals({
        rules: [{ who: ["UGLASS"], verbs: ["approve"], hosts: {}, containers: ["*"], actions: ["start"], deny: true }],
      }),
    ],
  ];
  it.each(refused)("refuses %s", (_, rows, who, decision, code, change) => {
    const judgement = ask(rows, who, decision, change);
    expect(judgement).toMatchObject({ refusal: { code } });
    expect(judgement.bodies.some((body) => body.kind === "decided")).toBe(false);
  });
});

describe("rejecting", () => {
  it("takes one no, from an approver or from whoever asked", () => {
    for (const who of [bob, alice]) {
      expect(ask(two, who, { verb: "reject", reason: " no " })).toMatchObject({
        bodies: [{ kind: "rejected", hash, reason: "no" }],
        follow: "nothing",
      });
    }
  });

  it("outweighs votes that were there before, and refuses strangers and the decided", () => {
    const reject: Decision = { verb: "reject", reason: null };
    expect(ask([...two, voteOf("UBOB", 1, 2)], carol, reject)).toMatchObject({
      bodies: [{ kind: "rejected", reason: null }],
    });
    expect(ask(open, person("UEVE"), reject)).toMatchObject({ refusal: { code: "not-an-approver" } });
    expect(ask(decided, bob, reject)).toMatchObject({ refusal: { code: "already-decided" } });
  });
});

describe("changing the memory", () => {
  const to = (memoryBytes: number): Decision => ({ verb: "change-memory", memoryBytes });

  it("makes another plan with another hash, whose votes start again and whose asker stays", () => {
    const judgement = ask([...two, voteOf("UBOB", 1, 2)], bob, to(2 * gib));
    expect(judgement.bodies).toMatchObject([
      { kind: "plan-changed", fromHash: hash, reason: "bob chose 2 GiB" },
      { kind: "plan-proposed", proposedFor: "UALICE", quorum: 2, expiresAtMs: askedAtMs + 31 * 60_000 },
    ]);
    const changed = judgement.bodies[1] as Extract<EntryBody, { kind: "plan-proposed" }>;
    expect(changed.plan.hash).not.toBe(hash);
    expect(changed.plan.steps[0]).toMatchObject({
      action: { memoryBytes: 2 * gib, memorySwapBytes: 2 * gib },
      command: `docker update --memory ${2 * gib} --memory-swap ${2 * gib} db`,
    });
    expect(changed.plan.steps.slice(1)).toEqual(plan.steps.slice(1));
    expect(changed.plan.composeNote?.lines).toEqual(["      memory: 2g"]);
    const after = incidentOf(...two, voteOf("UBOB", 1, 2), ...judgement.bodies);
    expect(after.plan?.votes).toEqual([]);
    expect(after.plans.map((record) => record.status)).toEqual(["superseded", "open"]);
    const late = judge({
      incident: after,
      hash,
      by: carol,
      decision: approve,
      policy,
      frozen: null,
      labels: () => ({}),
      nowMs: askedAtMs,
    });
    expect(late).toMatchObject({
      refusal: { code: "plan-superseded", found: "This button belongs to an older plan." },
    });
  });

  it("asks for more approvals where the size makes it riskier", () => {
    const judgement = ask(open, bob, to(gib + 1024 ** 2));
    expect(judgement.bodies[1]).toMatchObject({ quorum: 2, plan: { risk: "medium" } });
  });

  const refused: [string, Rows, Person, number, string, Partial<JudgeRequest>?][] = [
    ["below the floor", open, bob, gib / 2 - 1, "over-policy"],
    ["above the ceiling", open, bob, 4 * gib + 1, "over-policy"],
    ["above the policy", open, bob, 2 * gib + 1, "over-policy", actions({ maxMemoryBytes: 2 * gib })],
    ["half a byte", open, bob, gib + 0.5, "bad-input"],
    ["no number", open, bob, Number.NaN, "bad-input"],
    ["the size it has", open, bob, gib, "nothing-to-do"],
    ["a stranger", open, person("UEVE"), 2 * gib, "not-an-approver"],
    ["a decided plan", decided, bob, 2 * gib, "already-decided"],
    ["a plan without memory", [proposed({ ...plan, memoryChoice: null })], bob, 2 * gib, "nothing-to-do"],
  ];
  it.each(refused)("refuses %s", (_, rows, who, bytes, code, change) => {
    const judgement = ask(rows, who, to(bytes), change);
    expect(judgement).toMatchObject({ refusal: { code }, bodies: [] });
  });

  it("takes exactly the floor and exactly the ceiling", () => {
    for (const bytes of [gib / 2, 4 * gib]) expect(ask(open, alice, to(bytes)).bodies).toHaveLength(2);
  });
});

describe("aborting, renewing and undoing", () => {
  it("stops a run before its next step, once, for an approver or whoever asked", () => {
    const abort: Decision = { verb: "abort" };
    for (const who of [bob, alice])
      expect(ask(decided, who, abort).bodies).toEqual([{ kind: "abort-requested", hash }]);
    expect(ask([...decided, { kind: "abort-requested", hash }], bob, abort)).toMatchObject({
      refusal: { code: "already-decided" },
    });
    expect(ask(open, bob, abort)).toMatchObject({ refusal: { code: "nothing-to-do" } });
    expect(ask(executed, bob, abort)).toMatchObject({ refusal: { code: "nothing-to-do" } });
    expect(ask(decided, person("UEVE"), abort)).toMatchObject({ refusal: { code: "not-an-approver" } });
  });

  it("makes a new plan of any that has ended, and sets one aside that still waits only for who may", () => {
    const replan: Decision = { verb: "replan" };
    const eve = person("UEVE");
    const ended: Rows[] = [
      [...open, { kind: "expired", hash }],
      [...open, { kind: "stale", hash, changed: [] }],
      [...open, { kind: "rejected", hash, reason: null }],
      verified,
    ];
    for (const rows of ended) expect(ask(rows, eve, replan)).toMatchObject({ bodies: [], follow: "investigate" });
    expect(ask(open, eve, replan)).toMatchObject({ refusal: { code: "not-an-approver" } });
    expect(ask(open, bob, replan).bodies).toEqual([
      { kind: "plan-changed", fromHash: hash, reason: "bob asked for a new plan" },
    ]);
    expect(ask(open, bob, replan, { nowMs: expiresAtMs }).bodies).toEqual([{ kind: "expired", hash }]);
    expect(ask(decided, bob, replan)).toMatchObject({ refusal: { code: "already-decided" } });
    expect(ask(executed, bob, replan)).toMatchObject({ refusal: { code: "already-decided" } });
    expect(ask([], bob, replan)).toMatchObject({ refusal: { code: "already-decided" } });
    expect(ask([{ kind: "investigation-failed", reason: "", next: "" }], eve, replan)).toHaveProperty(
      "follow",
      "investigate",
    );
  });

  it("keeps who may not look from renewing", () => {
    const rules = [
      {
        who: ["UZOE"],
        verbs: ["look" as const],
        hosts: {},
        containers: ["*"],
        actions: ["start" as const],
        deny: false,
      },
    ];
    const stale: Rows = [...open, { kind: "stale", hash, changed: [] }];
    expect(ask(stale, person("UEVE"), { verb: "replan" }, approvals({ rules }))).toMatchObject({
      refusal: { code: "not-allowed" },
    });
    expect(ask(stale, person("UZOE"), { verb: "replan" }, approvals({ rules }))).toHaveProperty(
      "follow",
      "investigate",
    );
  });

  it("undoes only what was done, and only once it has ended", () => {
    const undo: Decision = { verb: "undo" };
    expect(ask(verified, bob, undo)).toMatchObject({ bodies: [], follow: "propose-undo" });
    expect(ask(verified, alice, undo)).toHaveProperty("follow", "propose-undo");
    expect(ask(verified, person("UEVE"), undo)).toMatchObject({ refusal: { code: "not-an-approver" } });
    expect(ask(executed, bob, undo)).toMatchObject({ refusal: { code: "already-decided" } });
    expect(ask([...decided, done(0)], bob, undo)).toMatchObject({ refusal: { code: "already-decided" } });
    expect(ask(open, bob, undo)).toMatchObject({ refusal: { code: "nothing-to-do" } });
    expect(ask([], bob, undo)).toMatchObject({ refusal: { code: "nothing-to-do" } });
  });
});

describe("the approved plan", () => {
  it("is there only between the decision and the end, with exactly the approved steps", () => {
    expect(approvedPlan(timeline(...decided))).toEqual({
      incidentId: "i-test01",
      hash,
      approvers: ["UBOB"],
      actions: plan.steps.map((step) => step.action),
    });
    expect(approvedPlan(timeline(...decided, started(0)))).not.toBeNull();
    for (const rows of [
      [],
      open,
      [...open, voteOf("UBOB")],
      executed,
      [...decided, { kind: "stale", hash, changed: [] }],
    ]) {
      expect(approvedPlan(timeline(...(rows as Rows)))).toBeNull();
    }
    expect(approvedPlan([])).toBeNull();
  });

  it("is none when a row was bent: too few votes, too late, or steps that do not give the hash", () => {
    const decision = by("UBOB", { kind: "decided", hash, approvers: ["UBOB"] });
    expect(approvedPlan(timeline(...open, decision))).toBeNull();
    expect(approvedPlan(timeline(...two, voteOf("UBOB", 1, 2), voteOf("UBOB", 2, 2), decision))).toBeNull();
    const late = {
      by: { kind: "room137" as const },
      body: { kind: "decided" as const, hash, approvers: [] },
      atMs: expiresAtMs,
    };
    expect(approvedPlan(timeline(...open, voteOf("UBOB"), late))).toBeNull();
    const other = { ...plan, steps: plan.steps.slice(0, 2) };
    expect(approvedPlan(timeline(proposed(other), voteOf("UBOB"), decision))).toBeNull();
  });

  it("is there without votes when the glass was broken", () => {
    const rows = [
      proposed(plan, { quorum: 3 }),
      by("UGLASS", { kind: "break-glass", hash, typed: "db", reason: "night" }),
      by("UGLASS", { kind: "decided", hash, approvers: ["UGLASS"] }),
    ];
    expect(approvedPlan(timeline(...rows))).toMatchObject({ approvers: ["UGLASS"] });
  });
});
