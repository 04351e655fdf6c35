import type { Rule } from "../rule.ts";
import { callerCode } from "./caller-code.ts";
import { connectionSlots } from "./connection-slots.ts";
import { dataFolder } from "./data-folder.ts";
import { emptyVolume } from "./empty-volume.ts";
import { frozen } from "./frozen.ts";
import { healthy } from "./healthy.ts";
import { locks } from "./locks.ts";
import { memoryLimit } from "./memory-limit.ts";
import { notRunning } from "./not-running.ts";
import { operator } from "./operator.ts";
import { outsidePeer } from "./outside-peer.ts";
import { ownErrors } from "./own-errors.ts";
import { pool } from "./pool.ts";
import { redisTrouble } from "./redis-trouble.ts";
import { repetition } from "./repetition.ts";
import { serverRefusals } from "./server-refusals.ts";
import { slowQuery } from "./slow-query.ts";
import { startOrder } from "./start-order.ts";
import { starting } from "./starting.ts";

/** Every rule, in no meaningful order: the choice between findings is made by weight and path. */
export const rules: readonly Rule[] = [
  memoryLimit,
  notRunning,
  frozen,
  healthy,
  callerCode,
  connectionSlots,
  dataFolder,
  emptyVolume,
  locks,
  operator,
  outsidePeer,
  ownErrors,
  pool,
  redisTrouble,
  repetition,
  serverRefusals,
  slowQuery,
  startOrder,
  starting,
];
