import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, planHash, type RemediationPlan } from "../../src/core/plan.ts";
import { plan } from "../fakes/judging.ts";

function changed(change: (plan: RemediationPlan) => void): string {
  const copy = structuredClone(plan);
  change(copy);
  return planHash(copy);
}

describe("the hash of a plan", () => {
  it.each<[string, (plan: RemediationPlan) => void]>([
    ["a value", ({ steps }) => Object.assign(steps[0]?.action as object, { memoryBytes: 2 })],
    ["a container id", ({ steps }) => Object.assign(steps[0]?.action as object, { containerId: "0".repeat(64) })],
    ["a host", ({ steps }) => Object.assign(steps[2]?.action as object, { host: "h2" })],
    ["the order of steps", ({ steps }) => void steps.reverse()],
    ["a step less", ({ steps }) => void steps.pop()],
    ["a precondition", ({ preconditions }) => Object.assign(preconditions[0]?.expect as object, { restartCount: 9 })],
    ["a precondition less", ({ preconditions }) => void preconditions.pop()],
    ["the version of the policy", (copy) => Object.assign(copy, { policyVersion: "p2" })],
  ])("changes with %s", (_, change) => {
    expect(changed(change)).not.toBe(plan.hash);
    expect(changed(change)).toMatch(/^[0-9a-f]{64}$/);
  });

  it("does not change with the words around the steps", () => {
    expect(changed((copy) => Object.assign(copy.steps[0] ?? {}, { title: "other", why: "" }))).toBe(plan.hash);
  });
});

describe("canonical JSON", () => {
  it("gives equal values equal bytes, whatever the order of their members", () => {
    expect(canonicalJson({ b: 1, a: { d: [2, "x", null], c: true } })).toBe('{"a":{"c":true,"d":[2,"x",null]},"b":1}');
    expect(canonicalJson({ a: { c: true, d: [2, "x", null] }, b: 1 })).toBe('{"a":{"c":true,"d":[2,"x",null]},"b":1}');
  });

  it("leaves out members that are undefined, and keeps their place in a list", () => {
    expect([canonicalJson({ a: undefined, b: 1 }), canonicalJson([undefined, 1]), canonicalJson(undefined)]).toEqual([
      '{"b":1}',
      "[null,1]",
      "null",
    ]);
  });

  it("is JSON of the same value, for every value that JSON has", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
