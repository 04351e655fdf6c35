import { current, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import { edgesFrom } from "../graph.ts";
import type { LogSignal, SignalKind } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { sessionsOf } from "../sessions.ts";
import { type ContainerView, cite, containerOf, type World } from "../world.ts";
import { emptyVolume } from "./empty-volume.ts";

/**
 * The database works and refuses what its caller asks: a column it does not have, two transactions that lock in opposite
 * order, a statement that a setting cancels. The code or the setting is at fault; the database only says so.
 */
export const callerCode: Rule = {
  name: "caller-code",
  causes: ["schema-behind-code", "pg-deadlock", "pg-statement-timeout-low"],
  needs: ["docker-logs"],
  evaluate(world, view) {
    if (view.inspect?.value.running !== true || serverKind(world, view) !== null) return [];
    return [schema(world, view), deadlock(world, view), statementTimeout(world, view)].filter(
      (finding) => finding !== null,
    );
  },
};

/** What this caller logged of that kind, or, for the asked-about service, what its databases logged. */
function said(world: World, view: ContainerView, kinds: readonly SignalKind[]) {
  const own = current(world, view, recentSignals(world, view, kinds));
  const servers = serversOf(world, view);
  const theirs = servers.flatMap((server) => {
    const signals = recentSignals(
      world,
      server,
      [...kinds, "server-deadlock"].filter(
        (kind) => kind !== "server-deadlock" || kinds.includes("peer-deadlock"),
      ) as SignalKind[],
    );
    return signals.length === 0 ? [] : [{ server, signals }];
  });
  const counts = own.length > 0 || (world.subjects.includes(view) && theirs.length > 0);
  const facts = [
    ...signalFacts(view, lastTwo(own)),
    ...theirs.flatMap(({ server, signals }) => signalFacts(server, lastTwo(signals).slice(-1))),
  ];
  const witnesses = [
    ...(own.length > 0 ? ["docker-logs"] : []),
    ...(theirs.length > 0 ? ["docker-logs of the database"] : []),
  ];
  const first = own[0] ?? theirs[0]?.signals[0] ?? null;
  return counts ? { own, theirs, servers, facts, witnesses, first } : null;
}

function schema(world: World, view: ContainerView): Finding | null {
  const told = said(world, view, ["peer-schema-mismatch"]);
  if (told === null || told.servers.some((server) => emptyVolume.evaluate?.(world, server).length !== 0)) return null;
  const object = [...told.own, ...told.theirs.flatMap((entry) => entry.signals)].findLast(
    (signal) => signal.parts["object"] ?? signal.parts["table"],
  );
  const name = object?.parts["object"] ?? object?.parts["table"];
  return faultAt(view, {
    cause: "schema-behind-code",
    summary: `The code in ${view.name} and the database schema do not match${name === undefined ? "" : `: ${name} does not exist there`}`,
    facts: told.facts,
    witnesses: told.witnesses,
    onsetMs: told.first?.line.atMs ?? null,
    weight: told.own.length > 0 ? weight.strong : weight.told,
    advice: [
      `Run the missing migration, or go back to the release of ${view.name} that fits the schema. The database needs no restart.`,
    ],
  });
}

function deadlock(world: World, view: ContainerView): Finding | null {
  const told = said(world, view, ["peer-deadlock"]);
  if (told === null) return null;
  return faultAt(view, {
    cause: "pg-deadlock",
    summary: `Transactions of ${view.name} lock the same rows in opposite order, and the database ends one of them (deadlock detected)`,
    facts: told.facts,
    witnesses: told.witnesses,
    onsetMs: told.first?.line.atMs ?? null,
    weight: told.own.length > 0 ? weight.strong : weight.told,
    advice: ["Lock rows in one order on every code path, keep transactions short, and repeat the one that was ended."],
  });
}

/** A statement that waits for a lock or really is slow is cancelled rightly. */
function statementTimeout(world: World, view: ContainerView): Finding | null {
  const told = said(world, view, ["peer-statement-timeout"]);
  if (told === null) return null;
  const blocked = told.servers.some((server) => {
    const sessions = sessionsOf(server);
    const locked = sessions.some((session) => session.waiting || session.activity.startsWith("idle in transaction"));
    return locked || recentSignals(world, server, ["server-lock-wait", "server-slow-query"]).length > 0;
  });
  const setting = settingOf(view) ?? told.servers.map(settingOf).find((found) => found !== null) ?? null;
  if (blocked && setting === null) return null;
  const culprit = setting?.view ?? told.servers[0] ?? view;
  const linked = culprit === view ? {} : { shownBy: view.ref, link: { proof: "log" as const, facts: told.facts } };
  return faultAt(culprit, {
    cause: "pg-statement-timeout-low",
    summary:
      setting === null
        ? `A statement timeout in ${culprit.name} cancels the statements of ${view.name}; nothing else holds them up`
        : `${culprit.name} sets ${setting.text}, and statements are cancelled before they can end`,
    facts: [...(setting === null ? [] : [setting.fact]), ...told.facts],
    witnesses: [...told.witnesses, ...(setting === null ? [] : ["docker-inspect"])],
    onsetMs: told.first?.line.atMs ?? null,
    weight: setting === null ? weight.told - 5 : blocked ? weight.hinted : weight.strong,
    advice: [
      `Raise statement_timeout where it is set (server, database, role or connection options), or make the statement faster.`,
    ],
    ...linked,
  });
}

function settingOf(view: ContainerView) {
  const inspect = view.inspect;
  if (inspect === null) return null;
  const words = inspect.value.command.join(" ");
  const inCommand = /statement_timeout\s*=\s*'?\d+\s*(?:ms|s|min)?/.exec(words)?.[0];
  if (inCommand !== undefined)
    return { view, text: inCommand, fact: cite(inspect, `Config.Cmd holds ${inCommand}`, view.name) };
  for (const variable of inspect.value.env) {
    const found = /statement_timeout(?:=|%3D|\s*:\s*)'?\d+\s*(?:ms|s|min)?/i
      .exec(variable.value)?.[0]
      .replace("%3D", "=");
    const named =
      /STATEMENT_TIMEOUT/i.test(variable.name) && /^\d+/.test(variable.value)
        ? `${variable.name}=${variable.value}`
        : undefined;
    const text = found ?? named;
    if (text !== undefined)
      return { view, text, fact: cite(inspect, `Config.Env ${variable.name} holds ${text}`, view.name) };
  }
  return null;
}

function serversOf(world: World, view: ContainerView): ContainerView[] {
  const found = edgesFrom(world.edges, view.ref)
    .map((edge) => (edge.to.host === null ? null : containerOf(world, edge.to)))
    .filter((peer): peer is ContainerView => peer !== null && serverKind(world, peer) !== null);
  return [...new Set(found)];
}

function lastTwo(signals: readonly LogSignal[]): LogSignal[] {
  return signals.slice(-2);
}
