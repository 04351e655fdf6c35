import { ephemeralDecisionMs, postsPerMinuteLinted, textRecommendedChars, windowMs } from "../limits.ts";
import { isObject } from "../manifest.ts";
import type { JsonObject, LintEntry } from "../protocol.ts";
import type { Message, World } from "../world.ts";

export type LintFinding = Omit<LintEntry, "seq" | "atMs">;

/** Rules about one message of the app, as posted or edited. Slack accepts all of it; people and phones do not. */
export function lintMessage(world: World, message: Message, before: Message | null, nowMs: number): LintFinding[] {
  const findings: LintFinding[] = [];
  const add = (rule: string, text: string, pointer: string | null = null) =>
    findings.push({ rule, message: text, channel: message.channel, ts: message.ts, pointer });
  if (message.blocks && message.text === "")
    add("missing-text", "a message with blocks has no text for screen readers and phones");
  if (message.text.length > textRecommendedChars)
    add("long-text", `text has ${message.text.length} characters; 4,000 is the recommended limit`, "/text");
  let primary = 0;
  walk(message.blocks ?? [], "/blocks", (node, pointer) => {
    if (node["type"] === "mrkdwn" && node["verbatim"] !== true)
      add("mrkdwn-not-verbatim", "bare @here and #channel in it become live", pointer);
    if (node["type"] !== "button") return;
    if (node["style"] === "primary") primary += 1;
    if (node["style"] === "danger" && !isObject(node["confirm"]))
      add("danger-without-confirm", "a destructive button has no confirm dialog", pointer);
    if (typeof node["value"] === "string" && !opaqueId.test(node["value"]))
      add("value-not-opaque", "a button's value is more than an opaque id", `${pointer}/value`);
  });
  if (primary > 1) add("several-primary", `${primary} primary buttons in one message`);
  if (before)
    for (const pointer of reusedBlockIds(message, before))
      add("block-id-reused", "a changed block keeps its block_id across revisions", pointer);
  if (!before && inChannel(message) && postsInLastMinute(world, message, nowMs) > postsPerMinuteLinted) {
    add("too-many-posts", `more than ${postsPerMinuteLinted} messages a minute in one channel`);
  }
  return findings;
}

/** Ephemeral messages that still offer a decision after ten minutes: nobody will find them again. */
export function lintStaleDecisions(world: World, nowMs: number): LintFinding[] {
  return [...world.messages.values()].flat().flatMap((message) => {
    if (message.ephemeralFor === null || nowMs - message.postedAtMs <= ephemeralDecisionMs) return [];
    let decides = false;
    walk(message.blocks ?? [], "", (node) => {
      if (node["type"] === "button" && node["style"] !== undefined) decides = true;
    });
    const text = "an ephemeral message has carried a decision button for more than ten minutes";
    return decides
      ? [{ rule: "stale-ephemeral-decision", message: text, channel: message.channel, ts: message.ts, pointer: null }]
      : [];
  });
}

/** Ids, hashes and joined ids pass; JSON, spaces and commands do not. */
const opaqueId = /^[A-Za-z0-9_.:|-]{1,255}$/;

const inChannel = (message: Message) =>
  message.ephemeralFor === null && (message.threadTs === null || message.threadTs === message.ts || message.broadcast);

function postsInLastMinute(world: World, message: Message, nowMs: number): number {
  const all = world.messages.get(message.channel) ?? [];
  return all.filter((other) => other.fromApp && inChannel(other) && other.postedAtMs > nowMs - windowMs).length;
}

function reusedBlockIds(message: Message, before: Message): string[] {
  const previous = new Map((before.blocks ?? []).map((block) => [block["block_id"], JSON.stringify(block)]));
  return (message.blocks ?? []).flatMap((block, index) => {
    const old = previous.get(block["block_id"]);
    return old !== undefined && old !== JSON.stringify(block) ? [`/blocks/${index}/block_id`] : [];
  });
}

/** Visits every object in blocks, with its JSON pointer. */
export function walk(value: unknown, pointer: string, visit: (node: JsonObject, pointer: string) => void): void {
  if (Array.isArray(value)) for (const [index, item] of value.entries()) walk(item, `${pointer}/${index}`, visit);
  if (!isObject(value)) return;
  visit(value, pointer);
  for (const [key, inner] of Object.entries(value)) walk(inner, `${pointer}/${key}`, visit);
}
