import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, policyVersion } from "../../src/config.ts";
import type { HostAction } from "../../src/core/actions.ts";
import type { TimelineEntry } from "../../src/core/incident.ts";
import { planHash, type RemediationPlan } from "../../src/core/plan.ts";
import { preconditionOf } from "../../src/core/propose.ts";
import { replay } from "../../src/core/replay.ts";
import { createHostPerformer } from "../../src/hosts/perform.ts";
import type { HostPerformer, Log, Store } from "../../src/ports.ts";
import { assembleParts, assembleRoom, systemClock } from "../../src/program.ts";
import { readStates } from "../../src/room/read-states.ts";
import { append, room137 } from "../../src/room/record.ts";
import { watch } from "../../src/room/watch.ts";
import { openStore } from "../../src/store/store.ts";
import { person } from "../fakes/fake-room.ts";
import { type Link, openLink, watchedSocket } from "./broken-links.ts";
import { hostYaml } from "./incident-room.ts";
import { type Lab, labUnavailable, startLab } from "./lab.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";
import { eventually } from "./processes.ts";

const unavailable = labUnavailable();
const approver = person("U0BEN");
const mib = 1024 ** 2;
/** How long a link stays broken. */
const outageMs = 1_500;
const steps = ["update-memory", "update-restart-policy", "start"];
const moments = ["before", "during", "after"] as const;
const faults = ["reset", "cut", "stall"] as const;
const silent: Log = { info: () => {}, warn: () => {}, error: () => {} };

interface Break {
  link: "host" | "store";
  fault: (typeof faults)[number];
  step: number;
  /** `during`: the engine has done it and its answer has not left the host. `after`: done, but not yet recorded. */
  moment: (typeof moments)[number];
}

let lab: Lab;
let postgres: PostgresServer;

describe.skipIf(unavailable !== null)(`broken links${unavailable === null ? "" : `: ${unavailable}`}`, () => {
  beforeAll(async () => {
    lab = await startLab({ name: "partitions" });
    postgres = await startPostgres(lab, "partitions-db");
  });
  afterAll(async () => await lab?.stop());

  describe.each(["host", "store"] as const)("to the %s", (link) => {
    it.each(faults)(
      "that %s at any step, before, during or after it, leave one effect each and a true thread",
      async (fault) => {
        const cases = steps.flatMap((_, step) => moments.map((moment): Break => ({ link, fault, step, moment })));
        const table: string[] = [];
        // Each waits most of the time, so three at once take no longer than one.
        for (let from = 0; from < cases.length; from += 3) {
          table.push(...(await Promise.all(cases.slice(from, from + 3).map(playThrough))));
        }
        console.log([`${fault} of the link to the ${link}:`, ...table].join("\n"));
      },
      600_000,
    );
  });
});

/** One approved plan of three steps on a real engine, behind real SSH, recorded in a real Postgres. */
async function playThrough(broken: Break, at: number): Promise<string> {
  const name = `box-${broken.link}-${broken.fault}-${broken.step}-${broken.moment}`;
  const sinceS = Math.floor(Date.now() / 1_000) - 1;
  const containerId = await stopped(name);
  const { room, store, parts, version, broke, close } = await openBroken(broken, at);
  const incidentId = `i-${name}`;
  const hash = await waitingPlan(store, parts, version, incidentId, name, containerId);
  await room.resume();
  expect(await room.decide(incidentId, hash, approver, { verb: "approve", reason: null })).toHaveProperty("said");
  const ended = async () => {
    const state = replay(await store.entries(incidentId).catch(() => []))?.state ?? "running";
    return !["running", "verifying", "waiting-for-approval"].includes(state);
  };
  expect({ name, ended: await eventually(ended, 120_000) }).toEqual({ name, ended: true });
  const entries = await store.entries(incidentId);
  const effects = await effectsOn(containerId, sinceS);
  expectTrue(name, entries, effects);
  expect({ name, broke: broke.happened() }).toEqual({ name, broke: true });
  await close();
  await lab.docker("rm", "--force", name);
  const state = replay(entries)?.state ?? "";
  const step = `step ${broken.step + 1} ${steps[broken.step]?.padEnd(22)} ${broken.moment.padEnd(7)}`;
  return `  ${step} effects ${effects.join(" ").padEnd(36)} thread: ${state}${whyOf(entries)}`;
}

/** A room whose host and store are behind links of their own, one of which will break. */
async function openBroken(broken: Break, at: number) {
  const ssh = await openLink({ host: lab.ssh.host, port: lab.ssh.port });
  const sql = await openLink({ host: "127.0.0.1", port: postgres.port });
  const broke = breaker(broken, broken.link === "host" ? ssh : sql);
  const socket = join(lab.dir, `watched-${at}.sock`);
  const closeSocket = await watchedSocket(socket, lab.dockerSocket, () => broke.answered());
  const hosts = hostYaml({ ...lab, ssh: { ...lab.ssh, port: ssh.port }, dockerSocket: socket });
  const yaml = `${hosts}approvals:\n  approvers: [${approver.userId}]\n`;
  const readFile = (path: string) => (path === "room137.yaml" ? yaml : null);
  const world = { env: { ROOM137_CONFIG: "room137.yaml" }, readFile };
  const config = loadConfig(world);
  const parts = assembleParts(config);
  const url = postgres.urlOf(await postgres.createDatabase()).replace(`:${postgres.port}/`, `:${sql.port}/`);
  const store = await openStore(url, { clock: systemClock });
  const working = createHostPerformer({ hostConfig: (host) => parts.hosts.config(host), clock: systemClock });
  const performer: HostPerformer = {
    async perform(plan, step) {
      broke.atStep(step);
      const done = await working.perform(plan, step);
      broke.done(step);
      return done;
    },
  };
  const room = assembleRoom(
    { ...parts, performer, announce: () => [] },
    { store, world, log: silent, metrics: { count: () => {} }, version: "lab" },
  );
  const close = async () => {
    await room.stop(1_000);
    await parts.hosts.close();
    await store.close();
    await Promise.all([ssh.close(), sql.close(), closeSocket()]);
  };
  return { room, store, parts, version: policyVersion(config), broke, close };
}

/** What the thread says about each step is what the engine's own events say, and nothing happened twice. */
function expectTrue(name: string, entries: TimelineEntry[], effects: string[]): void {
  expect({ name, twice: effects.filter((effect, index) => effects.indexOf(effect) !== index) }).toEqual({
    name,
    twice: [],
  });
  const record = replay(entries)?.plan;
  for (const [step, { action, state }] of (record?.steps ?? []).entries()) {
    const happened = effects.includes(action.action);
    if (state === "done") expect({ name, step, happened }).toEqual({ name, step, happened: true });
    if (state === "waiting") expect({ name, step, happened }).toEqual({ name, step, happened: false });
    // Failed with what the host shows, or not known, is said; begun and nothing more is not an end.
    expect({ name, step, state }).not.toEqual({ name, step, state: "started" });
  }
  const kinds = entries.map((entry) => entry.body.kind);
  expect({ name, decided: kinds.filter((kind) => kind === "decided").length }).toEqual({ name, decided: 1 });
  for (const step of [0, 1, 2]) {
    const done = entries.filter(({ body }) => body.kind === "step-done" && body.step === step).length;
    expect({ name, step, once: done <= 1 }).toEqual({ name, step, once: true });
  }
}

function whyOf(entries: TimelineEntry[]): string {
  for (const { body } of entries.toReversed()) {
    if (body.kind === "step-failed" || (body.kind === "step-found" && body.state === "unknown"))
      return ` (${body.reason})`;
    if (body.kind === "stale") return ` (${body.changed.join("; ")})`;
  }
  return "";
}

/** Breaks the link once, at its moment, and mends it after the outage. */
function breaker({ step, moment, fault }: Break, link: Link) {
  let current = -1;
  let broken = false;
  const happen = () => {
    if (broken) return;
    broken = true;
    link[fault]();
    setTimeout(() => link.mend(), outageMs);
  };
  return {
    atStep(now: number) {
      current = now;
      if (now === step && moment === "before") happen();
    },
    answered() {
      if (current === step && moment === "during") happen();
    },
    done(now: number) {
      if (now === step && moment === "after") happen();
    },
    happened: () => broken,
  };
}

async function stopped(name: string): Promise<string> {
  const memory = ["--memory", "64m", "--memory-swap", "64m"];
  const id = await lab.run({ name, args: memory, command: ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"] });
  await lab.docker("stop", "--time", "5", name);
  return id;
}

/** From the engine's own events: `update` twice is memory and policy, in this order. */
async function effectsOn(containerId: string, sinceS: number): Promise<string[]> {
  const format = "{{.Action}} {{.TimeNano}}";
  const untilS = Math.ceil(Date.now() / 1_000);
  const events = await lab.docker(
    ...["events", "--since", String(sinceS), "--until", String(untilS), "--filter", `container=${containerId}`],
    ...["--filter", "event=update", "--filter", "event=start", "--format", format],
  );
  const actions = events
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  const updates = actions.filter((action) => action === "update").length;
  // The first start is the container's own, before it was stopped.
  const starts = actions.filter((action) => action === "start").length - 1;
  const names = ["update-memory", "update-restart-policy"].slice(0, updates);
  return [
    ...names,
    ...Array<string>(Math.max(0, updates - 2)).fill("update-restart-policy"),
    ...Array<string>(starts).fill("start"),
  ];
}

async function waitingPlan(
  store: Store,
  parts: ReturnType<typeof assembleParts>,
  version: string,
  incidentId: string,
  container: string,
  containerId: string,
): Promise<string> {
  const target = { host: "prod-1", container, containerId };
  const fresh = (await readStates(parts, [target]))(target);
  if (!("container" in fresh)) throw new Error(`${container} could not be read`);
  const actions: HostAction[] = [
    { action: "update-memory", ...target, memoryBytes: 128 * mib, memorySwapBytes: 128 * mib },
    { action: "update-restart-policy", ...target, restartPolicy: "unless-stopped", maximumRetryCount: 0 },
    { action: "start", ...target },
  ];
  const bound = {
    steps: actions.map((action) => ({ action, title: action.action, why: "" })),
    preconditions: [preconditionOf({ host: target.host, id: containerId, name: container }, fresh.container)],
    policyVersion: version,
  };
  const plan: RemediationPlan = {
    hash: planHash(bound),
    cause: "cgroup-oom-main",
    ...bound,
    risk: "low",
    risks: [],
    verification: [],
    probes: [],
    undo: [],
    undoWarning: null,
    composeNote: null,
    memoryChoice: null,
  };
  const deps = { store, clock: systemClock, announce: () => [], log: silent };
  const about = { quorum: 1, proposedFor: "U0ANA", breakGlass: false, undoOf: null };
  const expiresAtMs = Date.now() + 30 * 60_000;
  await watch(deps, incidentId);
  const service = { service: container, symptom: "any" as const, host: null };
  const appended = await append(deps, null, incidentId, [
    { actor: room137, body: { kind: "opened", target: service, room: null, command: "" } },
    { actor: room137, body: { kind: "investigating", hosts: ["prod-1"], again: false } },
    { actor: room137, body: { kind: "plan-proposed", plan, expiresAtMs, ...about } },
  ]);
  if (appended === null) throw new Error("the plan was not recorded");
  return plan.hash;
}
