import type { Card } from "../card.ts";
import { abstainingCards } from "./abstaining.ts";
import { cacheCards } from "./caches.ts";
import { configCards } from "./config.ts";
import { configAccessCards } from "./config-access.ts";
import { connectionCards } from "./connections.ts";
import { cpuIoCards } from "./cpu-io.ts";
import { daemonCards } from "./daemon.ts";
import { databaseCards } from "./databases.ts";
import { dependencyCards } from "./dependencies.ts";
import { exitCards } from "./exits.ts";
import { healthCards } from "./health.ts";
import { hostCards } from "./hosts.ts";
import { judgedFirstCards } from "./judged-1.ts";
import { judgedSecondCards } from "./judged-2.ts";
import { judgedThirdCards } from "./judged-3.ts";
import { memoryCards } from "./memory.ts";
import { networkCards } from "./network.ts";
import { peopleCards } from "./people.ts";
import { portAndPathCards } from "./ports-and-paths.ts";
import { proxyCards } from "./proxies.ts";
import { releaseCards } from "./releases.ts";
import { resourceCards } from "./resources.ts";
import { restartCards } from "./restarts.ts";
import { stopCards } from "./stops.ts";
import { tlsCards } from "./tls.ts";

/** Every fault of the suite. */
export const cards: readonly Card[] = [
  ...stopCards,
  ...memoryCards,
  ...exitCards,
  ...dependencyCards,
  ...connectionCards,
  ...databaseCards,
  ...cacheCards,
  ...abstainingCards,
  ...networkCards,
  ...portAndPathCards,
  ...proxyCards,
  ...tlsCards,
  ...hostCards,
  ...resourceCards,
  ...configCards,
  ...configAccessCards,
  ...cpuIoCards,
  ...restartCards,
  ...daemonCards,
  ...releaseCards,
  ...healthCards,
  ...peopleCards,
  ...judgedFirstCards,
  ...judgedSecondCards,
  ...judgedThirdCards,
];
