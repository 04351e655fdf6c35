import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseButtonValue } from "../../src/core/buttons.ts";
import { replay } from "../../src/core/replay.ts";
import { announce } from "../../src/render/announce.ts";
import { notifications } from "../../src/slack/blocks/mrkdwn.ts";
import { validateMessage } from "../../src/slack/blocks/validate.ts";
import { evidenceText, FC_RUNS } from "../slack/blocks/arbitrary.ts";
import { hostileStory, scenarios } from "./scenarios.ts";
import { foundingPlan, opening, proposal, story } from "./story.ts";
import { outgoingOf, rowsOf, transcript } from "./transcript.ts";

type Entries = (typeof scenarios)[string];
const said = (entries: Entries) => rowsOf(entries).map((row) => ({ ...row, outgoing: outgoingOf(row) }));
const messages = (entries: Entries) =>
  said(entries).flatMap(({ key, outgoing }) =>
    outgoing.kind === "post" || outgoing.kind === "update" ? [{ key, outgoing }] : [],
  );

describe.each(Object.entries(scenarios))("%s", (name, entries) => {
  it("reads as its golden transcript", async () => {
    await expect(transcript(entries)).toMatchFileSnapshot(`golden/thread-${name}.txt`);
  });

  it("is taken by Slack, row by row", () => {
    for (const { key, outgoing } of messages(entries)) {
      expect([key, validateMessage({ text: outgoing.text, blocks: outgoing.blocks }, { strictText: true })]).toEqual([
        key,
        [],
      ]);
    }
  });

  it("has one root, unique keys, and points only at what was posted before", () => {
    const rows = said(entries);
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
    expect(rows.filter(({ outgoing }) => outgoing.kind === "post" && outgoing.thread === null)).toHaveLength(1);
    const posted = new Set<string>();
    for (const { key, outgoing } of rows) {
      const ref =
        outgoing.kind === "update"
          ? outgoing.message
          : outgoing.kind === "post" || outgoing.kind === "file" || outgoing.kind === "image"
            ? outgoing.thread
            : null;
      if (ref !== null && "key" in ref) expect(posted).toContain(ref.key);
      posted.add(key);
    }
  });

  it("leads every message's text with the service it is about", () => {
    const first = entries[0]?.body;
    if (first?.kind !== "opened" || name === "hostile-texts" || name === "not-found") return;
    for (const { outgoing } of messages(entries)) expect(outgoing.text.slice(0, 60)).toContain(first.target.service);
  });
});

describe("announce", () => {
  it("says the same for the same entry, and nothing where there is no room", () => {
    const entries = scenarios["founding-incident-recovered"] as Entries;
    expect(rowsOf(entries)).toEqual(rowsOf(entries));
    const [first] = entries;
    if (first?.body.kind !== "opened") throw new Error("the story begins with opened");
    const elsewhere = { ...first, body: { ...first.body, room: null } };
    expect(announce(replay([elsewhere]) as NonNullable<ReturnType<typeof replay>>, elsewhere)).toEqual([]);
  });

  it("puts the chart of an answer about memory into the thread, once, and lets nothing wait for it", () => {
    const keys = said(scenarios["leak-with-chart"] as Entries).map(({ key, outgoing }) => `${key} ${outgoing.kind}`);
    expect(keys.slice(-3)).toEqual([
      "inc-7f3a:3:diagnosis post",
      "inc-7f3a:3:memory image",
      "inc-7f3a:3:evidence post",
    ]);
    const lanes = rowsOf(scenarios["leak-with-chart"] as Entries).slice(-3);
    expect(lanes.map(({ lane }) => lane)).toEqual(["inc-7f3a", "inc-7f3a:pictures", "inc-7f3a"]);
  });

  it("mentions nobody but those a plan asks by name", () => {
    const notified = messages(scenarios["crash-loop-two-approvals"] as Entries).flatMap(({ key, outgoing }) =>
      notifications(outgoing).map((one) => ({ key, who: one.who, id: one.id })),
    );
    expect(new Set(notified.map((one) => one.id))).toEqual(new Set(["S0ONCALL"]));
    for (const [name, entries] of Object.entries(scenarios)) {
      if (name === "crash-loop-two-approvals") continue;
      expect(messages(entries).flatMap(({ outgoing }) => notifications(outgoing))).toEqual([]);
    }
  });

  it("gives every button a value that names the incident and the plan it was drawn for", () => {
    const values = JSON.stringify(
      messages(scenarios["founding-incident-recovered"] as Entries).map((one) => one.outgoing.blocks),
    );
    const found = [...values.matchAll(/"value":"([^"]+)"/g)].map((match) => parseButtonValue(match[1] ?? ""));
    expect(found.length).toBeGreaterThan(3);
    for (const value of found) expect(value).toEqual({ incidentId: "inc-7f3a", hash: foundingPlan.hash });
  });

  it("takes the buttons of a decision away with the decision", () => {
    for (const name of ["rejected", "expired", "stale", "founding-incident-recovered"]) {
      const edits = messages(scenarios[name] as Entries).filter(
        ({ outgoing }) => outgoing.kind === "update" && JSON.stringify(outgoing.blocks).includes('"plan_approve"'),
      );
      const decidedAt =
        (scenarios[name] as Entries).findIndex(({ body }) => ["rejected", "expired", "decided"].includes(body.kind)) +
        1;
      for (const { key } of edits) expect(Number(key.split(":")[1])).toBeLessThan(decidedAt);
    }
  });

  it("says nothing for an entry about a plan that is not the current one", () => {
    const entries = story([...opening, proposal(), { body: { kind: "expired", hash: "0".repeat(64) } }]);
    expect(rowsOf(entries).filter((row) => row.key.includes(":4:"))).toEqual([]);
  });

  it("replies in the thread it was asked in", () => {
    const [first] = opening;
    if (first?.body.kind !== "opened") throw new Error("the story begins with opened");
    const body = { ...first.body, room: { channel: "C0OPS", threadTs: "1767236400.000100" } };
    const rows = said(story([{ ...first, body }, ...opening.slice(1), proposal()]));
    const posts = rows.flatMap(({ outgoing }) => (outgoing.kind === "post" ? [outgoing.thread] : []));
    expect(posts).toEqual([{ ts: "1767236400.000100" }, { ts: "1767236400.000100" }]);
  });

  it("stays valid and notifies nobody, whatever a host or a person writes", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(evidenceText, (text) => {
        for (const { key, outgoing } of messages(hostileStory(text))) {
          expect([
            key,
            validateMessage({ text: outgoing.text, blocks: outgoing.blocks }, { strictText: true }),
          ]).toEqual([key, []]);
          expect([key, notifications(outgoing)]).toEqual([key, []]);
        }
      }),
      { numRuns: Math.ceil(FC_RUNS / 5) },
    );
  });
});
