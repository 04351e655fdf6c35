import type { Command, HandlerDeps, Reply } from "./asked.ts";
import { whyHelp } from "./help.ts";
import { why } from "./why-500.ts";

/** `/why <service> [on <host>]`: any symptom. */
export async function whyAny(command: Command, deps: HandlerDeps): Promise<Reply> {
  return await why(command, deps, "any", whyHelp);
}
