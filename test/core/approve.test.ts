import { describe, expect, it } from "vitest";
import { approvedPlan, breakGlassPhrase } from "../../src/core/approve.ts";
import type { Decision, JudgeRequest } from "../../src/core/judgement.ts";
import type { RemediationPlan } from "../../src/core/plan.ts";
import type { Person } from "../../src/core/rights.ts";
import { alice, bob, carol, gib, person } from "../fakes/fake-room.ts";
import {
  actions,
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
  started,
  two,
  voteOf,
} from "../fakes/judging.ts";
import { by, expiresAtMs, proposed, timeline } from "../fakes/timeline.ts";

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
