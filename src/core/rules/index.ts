import type { Rule } from "../rule.ts";
import { acrossHosts } from "./across-hosts.ts";
import { callerCode } from "./caller-code.ts";
import { composeState } from "./compose-state.ts";
import { connectionSlots } from "./connection-slots.ts";
import { cpu } from "./cpu.ts";
import { crash } from "./crash.ts";
import { daemonStart } from "./daemon-start.ts";
import { dataFolder } from "./data-folder.ts";
import { databaseAccess } from "./database-access.ts";
import { descriptors } from "./descriptors.ts";
import { diskFull } from "./disk-full.ts";
import { emptyVolume } from "./empty-volume.ts";
import { endedByItself } from "./ended-by-itself.ts";
import { engineSide } from "./engine-side.ts";
import { fileRights } from "./file-rights.ts";
import { frozen } from "./frozen.ts";
import { handsOff } from "./hands-off.ts";
import { hang } from "./hang.ts";
import { healthCheck } from "./health-check.ts";
import { healthy } from "./healthy.ts";
import { helperRestarts } from "./helper-restarts.ts";
import { hostDiskFull } from "./host-disk-full.ts";
import { hostMemory } from "./host-memory.ts";
import { imageContent } from "./image-content.ts";
import { io } from "./io.ts";
import { listener } from "./listener.ts";
import { locks } from "./locks.ts";
import { memoryLimit } from "./memory-limit.ts";
import { memoryStall } from "./memory-stall.ts";
import { nameCollision } from "./name-collision.ts";
import { networkMembership } from "./network-membership.ts";
import { notRunning } from "./not-running.ts";
import { oldContainer } from "./old-container.ts";
import { operator } from "./operator.ts";
import { otherRelease } from "./other-release.ts";
import { outsideNames } from "./outside-names.ts";
import { outsidePeer } from "./outside-peer.ts";
import { ownErrors } from "./own-errors.ts";
import { ownHeap } from "./own-heap.ts";
import { pathQuality } from "./path-quality.ts";
import { people } from "./people.ts";
import { pool } from "./pool.ts";
import { portTaken } from "./port-taken.ts";
import { processes } from "./processes.ts";
import { proxyLimits } from "./proxy-limits.ts";
import { redisMaxmemory } from "./redis-maxmemory.ts";
import { redisTrouble } from "./redis-trouble.ts";
import { releases } from "./releases.ts";
import { removedPeer } from "./removed-peer.ts";
import { repetition } from "./repetition.ts";
import { resourceLimits } from "./resource-limits.ts";
import { restartLoop } from "./restart-loop.ts";
import { serverRefusals } from "./server-refusals.ts";
import { settings } from "./settings.ts";
import { shmTooSmall } from "./shm-too-small.ts";
import { slowQuery } from "./slow-query.ts";
import { staleUpstream } from "./stale-upstream.ts";
import { startFailed } from "./start-failed.ts";
import { startOrder } from "./start-order.ts";
import { starting } from "./starting.ts";
import { switches } from "./switches.ts";
import { tlsTrust } from "./tls-trust.ts";
import { workers } from "./workers.ts";
import { wrongPeer } from "./wrong-peer.ts";
import { wrongTime } from "./wrong-time.ts";

/** Every rule, in no meaningful order: the choice between findings is made by weight and path. */
export const rules: readonly Rule[] = [
  memoryLimit,
  startFailed,
  shmTooSmall,
  resourceLimits,
  redisMaxmemory,
  ownHeap,
  memoryStall,
  hostMemory,
  crash,
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
  acrossHosts,
  composeState,
  listener,
  nameCollision,
  networkMembership,
  outsideNames,
  pathQuality,
  portTaken,
  staleUpstream,
  tlsTrust,
  wrongTime,
  cpu,
  databaseAccess,
  descriptors,
  diskFull,
  fileRights,
  hostDiskFull,
  io,
  processes,
  proxyLimits,
  settings,
  switches,
  workers,
  wrongPeer,
  daemonStart,
  endedByItself,
  engineSide,
  handsOff,
  hang,
  healthCheck,
  helperRestarts,
  imageContent,
  oldContainer,
  otherRelease,
  people,
  releases,
  removedPeer,
  restartLoop,
];
