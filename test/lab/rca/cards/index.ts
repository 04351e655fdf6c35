import type { Card } from "../card.ts";
import { stopCards } from "./stops.ts";

/** Every fault of the suite. */
export const cards: readonly Card[] = [...stopCards];
