import type { Log } from "../ports.ts";
import { degrade } from "./blocks/degrade.ts";
import { cutToLength } from "./blocks/encode.ts";
import { LIMITS } from "./blocks/limits.ts";
import type { MessageBlock } from "./blocks/message.ts";
import type { CallResult } from "./clients.ts";
import type { EdgeMetrics } from "./ports.ts";
import { unsupportedTypes } from "./problems.ts";

export interface Content {
  text: string;
  blocks: readonly object[];
}

export interface ContentSender {
  /**
   * Sends the blocks; where the workspace does not know one of them, an older form; where Slack refuses them still, the
   * words alone, which hold the whole summary.
   */
  send(content: Content, call: (args: Record<string, unknown>) => Promise<CallResult>): Promise<CallResult>;
}

export function createContentSender(deps: { log: Log; metrics: EdgeMetrics }): ContentSender {
  /** Types this workspace has answered `unsupported type` to: not tried again until the next start. */
  const notRolledOut = new Set<string>();
  return {
    async send(content, call) {
      const argsNow = () => argsOf(content.text, degrade(content.blocks as MessageBlock[], [...notRolledOut]));
      const first = await call(argsNow());
      if (first.ok || first.problem.kind !== "payload") return first;
      const unsupported = unsupportedTypes(first.problem);
      for (const type of unsupported) notRolledOut.add(type);
      if (unsupported.length > 0) {
        const second = await call(argsNow());
        if (second.ok || second.problem.kind !== "payload") return second;
      }
      deps.metrics.count("slack_posts", { outcome: "plain-text" });
      deps.log.error({ code: first.problem.code, said: first.problem.messages }, "slack refused our blocks");
      return await call(argsOf(content.text, []));
    },
  };
}

/** `parse: none` also where Slack's default is another one (chat.update): nothing in a text becomes a link by itself. */
function argsOf(text: string, blocks: readonly object[]): Record<string, unknown> {
  const cut = cutToLength(text, LIMITS.messageTextRecommended);
  return { text: cut, parse: "none", ...(blocks.length === 0 ? {} : { blocks }) };
}
