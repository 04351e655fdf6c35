import { limits } from "../core/limits.ts";
import type { Clock, Log, Scheduler, Store } from "../ports.ts";

/** Proof that this process alone works on an incident, as far as a lease can prove it. */
export interface Hold {
  /** Renews the lease. False once another process may have taken over: then nothing more may be begun. */
  stillMine(): Promise<boolean>;
  /** Aborts when the process stops. */
  signal: AbortSignal;
}

/** What goes on behind the answers: at most one process works on an incident, over all replicas. */
export interface Work {
  /** Begins and returns at once. While it is worked on already, it is only looked at again afterwards. */
  begin(incidentId: string): void;
  isBusy(incidentId: string): boolean;
  settled(incidentId: string): Promise<void>;
  /** Called when the process stops. */
  onStop(run: () => void): void;
  /** Resolves when all work has ended, or after the deadline. What is left is taken up at the next start. */
  stop(deadlineMs: number): Promise<void>;
}

interface WorkDeps {
  store: Pick<Store, "acquireLease" | "releaseLease">;
  clock: Clock;
  scheduler: Scheduler;
  log: Log;
}

/** `attend` does whatever the incident's state calls for. */
export function createWork(
  deps: WorkDeps,
  owner: string,
  attend: (incidentId: string, hold: Hold) => Promise<void>,
): Work {
  const running = new Map<string, { ended: Promise<void>; again: boolean }>();
  const stopping = new AbortController();
  const begin = (incidentId: string) => {
    if (stopping.signal.aborted) return;
    const busy = running.get(incidentId);
    if (busy !== undefined) {
      busy.again = true;
      return;
    }
    const ended = runHeld(deps, owner, incidentId, attend, stopping.signal).finally(() => {
      const again = running.get(incidentId)?.again === true;
      running.delete(incidentId);
      if (again) begin(incidentId);
    });
    running.set(incidentId, { ended, again: false });
  };
  return {
    begin,
    isBusy: (incidentId) => running.has(incidentId),
    async settled(incidentId) {
      for (let busy = running.get(incidentId); busy !== undefined; busy = running.get(incidentId)) await busy.ended;
    },
    onStop: (run) => stopping.signal.addEventListener("abort", run, { once: true }),
    async stop(deadlineMs) {
      stopping.abort();
      const all = Promise.all([...running.values()].map(({ ended }) => ended));
      const late = new AbortController();
      await Promise.race([all, deps.scheduler.wait(deadlineMs, late.signal)]);
      late.abort();
    },
  };
}

/** Never throws: what went wrong is logged, and the next tick looks again. */
async function runHeld(
  deps: WorkDeps,
  owner: string,
  incidentId: string,
  attend: (incidentId: string, hold: Hold) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, scheduler, log } = deps;
  const lease = `exec:${incidentId}`;
  let lost = false;
  const stillMine = async () => {
    const mine = !lost && (await store.acquireLease(lease, owner, limits.workLeaseMs, clock.nowMs()));
    if (!mine) lost = true;
    return mine;
  };
  const warn = (error: unknown) => log.warn({ incidentId, error: String(error) }, "a lease could not be renewed");
  try {
    if (!(await stillMine())) return;
    const endRenewal = scheduler.every(limits.workLeaseMs / 3, () => void stillMine().catch(warn));
    try {
      await attend(incidentId, { stillMine, signal });
    } finally {
      endRenewal();
      await store.releaseLease(lease, owner);
    }
  } catch (error) {
    log.error({ incidentId, error: String(error) }, "work on an incident was interrupted");
  }
}
