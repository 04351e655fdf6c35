import type { Fault, Faults, FaultSwitch } from "./protocol.ts";

/** Faults that wait for a call or an envelope. Those that act at once (disconnects) are carried out by the transport. */
export interface FaultBox {
  inject(fault: Fault): void;
  /** The next armed fault of this kind for the method, used up by one. */
  take<K extends CallFault["kind"]>(kind: K, method: string): Extract<CallFault, { kind: K }> | null;
  /** Same for envelopes. */
  takeEnvelope(kind: "duplicate-envelopes" | "deliver-during-close"): boolean;
  on(name: FaultSwitch): boolean;
  outage(): boolean;
  pongDelayMs(): number;
  refreshEverySeconds(): number | null;
  unsupportedBlocks(): string[];
  state(): Faults;
}

type CallFault = Extract<Fault, { method: string }>;
type EnvelopeFault = Extract<Fault, { kind: "duplicate-envelopes" | "deliver-during-close" }>;

export function createFaultBox(): FaultBox {
  let calls: CallFault[] = [];
  let envelopes: EnvelopeFault[] = [];
  let outage = false;
  let pongDelayMs = 0;
  let refreshEvery: number | null = null;
  let unsupported: string[] = [];
  const switches = defaultSwitches();

  const inject = (fault: Fault) => {
    switch (fault.kind) {
      case "rate-limited":
      case "http-error":
      case "api-error":
      case "lost-answer":
      case "latency":
        calls.push({ ...fault });
        return;
      case "duplicate-envelopes":
      case "deliver-during-close":
        envelopes.push({ ...fault });
        return;
      case "slow-pongs":
        pongDelayMs = fault.delayMs;
        return;
      case "refresh-every":
        refreshEvery = fault.seconds > 0 ? fault.seconds : null;
        return;
      case "outage":
        outage = fault.on;
        return;
      case "blocks-not-rolled-out":
        unsupported = [...fault.types];
        return;
      case "switch":
        switches[fault.name] = fault.on;
        return;
      case "clear":
        calls = [];
        envelopes = [];
        outage = false;
        pongDelayMs = 0;
        refreshEvery = null;
        unsupported = [];
        Object.assign(switches, defaultSwitches());
        return;
      case "disconnect":
      case "drop-connections":
      case "raw-frame":
      case "app-rate-limited":
        return;
    }
  };
  return {
    inject,
    take(kind, method) {
      const found = calls.find((fault) => fault.kind === kind && (fault.method === "*" || fault.method === method));
      if (!found) return null;
      found.times -= 1;
      if (found.times <= 0) calls = calls.filter((fault) => fault !== found);
      return found as Extract<CallFault, { kind: typeof kind }>;
    },
    takeEnvelope(kind) {
      const found = envelopes.find((fault) => fault.kind === kind);
      if (!found) return false;
      found.times -= 1;
      if (found.times <= 0) envelopes = envelopes.filter((fault) => fault !== found);
      return true;
    },
    on: (name) => switches[name],
    outage: () => outage,
    pongDelayMs: () => pongDelayMs,
    refreshEverySeconds: () => refreshEvery,
    unsupportedBlocks: () => unsupported,
    state: () => ({ active: activeFaults(), switches: { ...switches } }),
  };

  function activeFaults(): Fault[] {
    const active: Fault[] = [...calls.map((fault) => ({ ...fault })), ...envelopes.map((fault) => ({ ...fault }))];
    if (outage) active.push({ kind: "outage", on: true });
    if (pongDelayMs > 0) active.push({ kind: "slow-pongs", delayMs: pongDelayMs });
    if (refreshEvery !== null) active.push({ kind: "refresh-every", seconds: refreshEvery });
    if (unsupported.length > 0) active.push({ kind: "blocks-not-rolled-out", types: unsupported });
    return active;
  }
}

/** Undocumented behaviour starts with the harsher plausible one; what would break every call starts off. */
function defaultSwitches(): Record<FaultSwitch, boolean> {
  return {
    oldExpiredTriggerShape: false,
    staleClicks: false,
    imageDownloadsFail: false,
    altTextOnNonImagesHidesFile: true,
    planWithoutUserGroups: false,
    editWindowClosed: false,
    lingerAfterClose: true,
    canvasLocked: false,
  };
}
