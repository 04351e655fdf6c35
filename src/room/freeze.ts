import type { Freeze } from "../core/judgement.ts";
import type { Desk } from "./desk.ts";

/** Who stopped all acting, or null. What cannot be read counts as frozen: nobody can tell that acting is allowed. */
export async function readFreeze(desk: Pick<Desk, "store">): Promise<Freeze | null> {
  try {
    const found = await desk.store.document("switch", "freeze");
    if (found === null) return null;
    const { by, reason } = JSON.parse(found.json) as { by?: unknown; reason?: unknown };
    if (typeof by !== "string") return unreadable;
    return { by, atMs: found.atMs, reason: typeof reason === "string" ? reason : null };
  } catch {
    return unreadable;
  }
}

const unreadable: Freeze = { by: "room137", atMs: 0, reason: "the freeze switch could not be read" };
