import type { Fault, FaultSwitch, Faults } from "./protocol.ts";

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
  const armed: Armed = nothingArmed();
  return {
    inject: (fault) => arm(armed, fault),
    take(kind, method) {
      const found = armed.calls.find(
        (fault) => fault.kind === kind && (fault.method === "*" || fault.method === method),
      );
      if (!found) return null;
      found.times -= 1;
      if (found.times <= 0) armed.calls = armed.calls.filter((fault) => fault !== found);
      return found as Extract<CallFault, { kind: typeof kind }>;
    },
    takeEnvelope(kind) {
      const found = armed.envelopes.find((fault) => fault.kind === kind);
      if (!found) return false;
      found.times -= 1;
      if (found.times <= 0) armed.envelopes = armed.envelopes.filter((fault) => fault !== found);
      return true;
    },
    on: (name) => armed.switches[name],
    outage: () => armed.outage,
    pongDelayMs: () => armed.pongDelayMs,
    refreshEverySeconds: () => armed.refreshEvery,
    unsupportedBlocks: () => armed.unsupported,
    state: () => ({ active: activeFaults(armed), switches: { ...armed.switches } }),
  };
}

interface Armed {
  calls: CallFault[];
  envelopes: EnvelopeFault[];
  outage: boolean;
  pongDelayMs: number;
  refreshEvery: number | null;
  unsupported: string[];
  switches: Record<FaultSwitch, boolean>;
}

const nothingArmed = (): Armed => ({
  calls: [],
  envelopes: [],
  outage: false,
  pongDelayMs: 0,
  refreshEvery: null,
  unsupported: [],
  switches: defaultSwitches(),
});

function arm(armed: Armed, fault: Fault): void {
  switch (fault.kind) {
    case "rate-limited":
    case "http-error":
    case "api-error":
    case "lost-answer":
    case "latency":
      if (fault.times > 0) armed.calls.push({ ...fault });
      return;
    case "duplicate-envelopes":
    case "deliver-during-close":
      if (fault.times > 0) armed.envelopes.push({ ...fault });
      return;
    case "slow-pongs":
      armed.pongDelayMs = fault.delayMs;
      return;
    case "refresh-every":
      armed.refreshEvery = fault.seconds > 0 ? fault.seconds : null;
      return;
    case "outage":
      armed.outage = fault.on;
      return;
    case "blocks-not-rolled-out":
      armed.unsupported = [...fault.types];
      return;
    case "switch":
      armed.switches[fault.name] = fault.on;
      return;
    case "clear":
      Object.assign(armed, nothingArmed());
      return;
    case "disconnect":
    case "drop-connections":
    case "raw-frame":
    case "app-rate-limited":
      return;
  }
}

function activeFaults(armed: Armed): Fault[] {
  const active: Fault[] = [...armed.calls, ...armed.envelopes].map((fault) => ({ ...fault }));
  if (armed.outage) active.push({ kind: "outage", on: true });
  if (armed.pongDelayMs > 0) active.push({ kind: "slow-pongs", delayMs: armed.pongDelayMs });
  if (armed.refreshEvery !== null) active.push({ kind: "refresh-every", seconds: armed.refreshEvery });
  if (armed.unsupported.length > 0) active.push({ kind: "blocks-not-rolled-out", types: armed.unsupported });
  return active;
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
