import { describe, expect, it } from "vitest";
import { judge } from "../../src/core/approve.ts";
import type { EntryBody } from "../../src/core/incident.ts";
import type { Decision, JudgeRequest } from "../../src/core/judgement.ts";
import type { Person } from "../../src/core/rights.ts";
import { alice, bob, carol, gib, person } from "../fakes/fake-room.ts";
import {
  actions,
  approvals,
  approve,
  ask,
  decided,
  done,
  executed,
  hash,
  open,
  plan,
  policy,
  type Rows,
  two,
  verified,
  voteOf,
} from "../fakes/judging.ts";
import { expiresAtMs, incidentOf, proposed } from "../fakes/timeline.ts";
import { askedAtMs } from "./scene.ts";

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
