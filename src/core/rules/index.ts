import type { Rule } from "../rule.ts";
import { frozen } from "./frozen.ts";
import { healthy } from "./healthy.ts";
import { memoryLimit } from "./memory-limit.ts";
import { notRunning } from "./not-running.ts";

/** Every rule, in no meaningful order: the choice between findings is made by weight and path. */
export const rules: readonly Rule[] = [memoryLimit, notRunning, frozen, healthy];
