import type { Card } from "../card.ts";
import { configCards } from "./config.ts";
import { cpuIoCards } from "./cpu-io.ts";
import { databaseCards } from "./databases.ts";
import { dependencyCards } from "./dependencies.ts";
import { exitCards } from "./exits.ts";
import { memoryCards } from "./memory.ts";
import { networkCards } from "./network.ts";
import { resourceCards } from "./resources.ts";
import { daemonCards } from "./daemon.ts";
import { healthCards } from "./health.ts";
import { peopleCards } from "./people.ts";
import { releaseCards } from "./releases.ts";
import { restartCards } from "./restarts.ts";
import { stopCards } from "./stops.ts";

/** Every fault of the suite. */
export const cards: readonly Card[] = [
  ...stopCards,
  ...memoryCards,
  ...exitCards,
  ...dependencyCards,
  ...databaseCards,
  ...networkCards,
  ...resourceCards,
  ...configCards,
  ...cpuIoCards, ...restartCards, ...daemonCards, ...releaseCards, ...healthCards, ...peopleCards];
