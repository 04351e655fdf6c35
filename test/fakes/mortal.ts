import type { HostPerformer, Store } from "../../src/ports.ts";
import type { RoomDeps } from "../../src/room.ts";

export interface Mortal {
  deps: Pick<RoomDeps, "store" | "performer" | "executeReads">;
  /** Every place that was passed, in order. */
  passed: string[];
  isDead(): boolean;
  /** Resolves when what was on its way to the store or a host at the death has arrived there. */
  arrived(): Promise<void>;
}

const writes = new Set<keyof Store>([
  "append",
  "firstSeen",
  "enqueue",
  "markSent",
  "markAttempt",
  "putDocument",
  "deleteDocument",
  "record",
  "acquireLease",
  "releaseLease",
]);

/**
 * The world of a process that dies at its `dieAt`-th point. From then on nothing of it reaches the store or a host, as
 * after kill -9; what reached them before stays done.
 */
export function mortal(world: Mortal["deps"], dieAt: number | null): Mortal {
  const passed: string[] = [];
  const underWay = new Set<Promise<unknown>>();
  let dead = false;
  const live = () => {
    if (dead) throw new Error("killed");
  };
  const point = (where: string) => {
    live();
    passed.push(where);
    if (passed.length - 1 !== dieAt) return;
    dead = true;
    throw new Error("killed");
  };
  const around = async <T>(where: string, call: () => Promise<T>): Promise<T> => {
    point(`before ${where}`);
    const calling = call();
    underWay.add(calling);
    const result = await calling.finally(() => underWay.delete(calling));
    point(`after ${where}`);
    return result;
  };
  const store = new Proxy(world.store, {
    get(target, name: keyof Store) {
      const method = target[name] as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        live();
        if (!writes.has(name)) return await method(...args);
        return await around(`${name}${detail(name, args)}`, () => method(...args));
      };
    },
  });
  const performer: HostPerformer = {
    perform: (plan, step) => around(`perform step ${step}`, () => world.performer.perform(plan, step)),
  };
  return {
    deps: {
      store,
      performer,
      executeReads: (reads, readers) => around("host reads", () => world.executeReads(reads, readers)),
    },
    passed,
    isDead: () => dead,
    arrived: async () => void (await Promise.allSettled(underWay)),
  };
}

function detail(name: keyof Store, args: unknown[]): string {
  if (name === "append") {
    return ` ${(args[0] as { body: { kind: string } }[]).map(({ body }) => body.kind).join("+")}`;
  }
  return typeof args[0] === "string" ? ` ${args[0].replace(/:.*/, "")}` : "";
}
