import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import type { SignalKind } from "../log-signals.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { isDatabaseServer } from "../storage.ts";
import { complaintsOf, told, toldByCallers } from "../told.ts";
import { type ContainerView, cite, containerOf, type World } from "../world.ts";
import { givenTwice } from "./wrong-peer.ts";

/**
 * The server is up and refuses this client by name, database, address, password or encryption. What is missing on the
 * server is the server's fault; an old secret or a wrong TLS mode is the client's.
 */
export const databaseAccess: Rule = {
  name: "database-access",
  causes: [
    "secret-rotated-stale-env",
    "db-role-missing",
    "db-name-missing",
    "pg-hba-reject",
    "ssl-required",
    "redis-auth",
    "env-shadowed",
  ],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null) return [];
    return [...atServer(world, view), ...atClient(world, view)];
  },
};

/** Complaints about a server: of its callers, and of its own log, which says the same in the same words. */
function complaintsAbout(world: World, view: ContainerView, kinds: readonly SignalKind[]) {
  const callers = toldByCallers(world, view, kinds);
  const own = isDatabaseServer(view) ? told(world, view, kinds) : null;
  const signals = [...callers.flatMap((caller) => caller.told.signals), ...(own?.signals ?? [])];
  return {
    callers,
    signals,
    facts: [...callers.flatMap((caller) => caller.told.facts), ...(own?.facts ?? [])],
    witnesses: [...(callers.length > 0 ? ["caller-logs"] : []), ...(own === null ? [] : ["docker-logs"])],
    onsetMs: signals[0]?.line.atMs ?? null,
    weight: own !== null && callers.length > 0 ? weight.proven : weight.strong,
  };
}

type Complaints = ReturnType<typeof complaintsAbout>;

function atServer(world: World, view: ContainerView): Finding[] {
  const state = runningFact(view);
  if (state === null) return [];
  const accuse = (cause: Finding["cause"], said: Complaints, summary: string, advice: string): Finding[] =>
    said.signals.length === 0
      ? []
      : [
          faultAt(view, {
            cause,
            summary,
            facts: [...said.facts, state],
            witnesses: said.witnesses,
            onsetMs: said.onsetMs,
            weight: said.weight,
            advice: [advice],
          }),
        ];
  const database = complaintsAbout(world, view, ["peer-database-missing"]);
  const name = part(database, "database");
  const role = complaintsAbout(world, view, ["peer-role-missing"]);
  const roleName = part(role, "role");
  const redis = redisComplaints(world, view);
  return [
    ...accuse(
      "db-name-missing",
      database,
      `${view.name} runs, but the database ${name ?? "its clients ask for"} does not exist in it`,
      `Look whether the database ${name ?? ""} was renamed, dropped or never created, and restore or create it by hand.`,
    ),
    ...accuse(
      "db-role-missing",
      role,
      `${view.name} runs, but the role ${roleName ?? "its clients use"} is gone there, may not log in, or lost its rights`,
      "Create the role again, or give it back its login and rights, by hand.",
    ),
    ...rejected(world, view, state),
    ...accuse(
      "redis-auth",
      redis,
      `${view.name} wants a password that its client does not send, or another one than it sends`,
      `Bring the password of ${view.name} (requirepass or ACL) and the one in its clients' settings together.`,
    ),
  ];
}

function part(said: Complaints, name: string): string | null {
  return said.signals.findLast((signal) => signal.parts[name] !== undefined)?.parts[name] ?? null;
}

/** A server that answers with a refusal runs; one that does not run is another cause. */
function runningFact(view: ContainerView): Fact | null {
  const seen = view.inspect;
  return seen === null || seen.value.status !== "running" ? null : cite(seen, "State.Status=running", view.name);
}

function redisComplaints(world: World, view: ContainerView): Complaints {
  const said = complaintsAbout(world, view, ["peer-auth-failed"]);
  const signals = said.signals.filter((signal) => signal.technology === "redis");
  return { ...said, signals, facts: signals.length === 0 ? [] : said.facts };
}

/** No line of the access list fits. Where the client speaks no TLS by its own setting and the server does, that is why. */
function rejected(world: World, view: ContainerView, state: Fact): Finding[] {
  const said = complaintsAbout(world, view, ["peer-access-rejected"]);
  if (said.signals.length === 0) return [];
  const client = part(said, "client");
  if (said.callers.some(({ caller }) => isPlainAgainstTls(caller, view, said))) return [];
  return [
    faultAt(view, {
      cause: "pg-hba-reject",
      summary: `${view.name} runs, but its access list (pg_hba.conf) has no line that lets ${client ?? "this client"} in`,
      facts: [...said.facts, state],
      witnesses: said.witnesses,
      onsetMs: said.onsetMs,
      weight: said.weight,
      advice: [
        `Add a line for the client's network to pg_hba.conf of ${view.name} and reload it; the password is not the matter.`,
      ],
    }),
  ];
}

/** The refusal names a connection without encryption, the client is set not to encrypt, and the server can. */
function isPlainAgainstTls(client: ContainerView, server: ContainerView, said: Pick<Complaints, "signals">): boolean {
  const plain = said.signals.every((signal) => /no encryption|SSL off/i.test(signal.line.text));
  return plain && plainByChoice(client) !== null && serverSpeaksTls(server) !== null;
}

/** The client's own setting forbids TLS. */
function plainByChoice(view: ContainerView): Fact | null {
  const setting = view.inspect?.value.env.find(
    (variable) =>
      /sslmode=disable|ssl=(?:false|0|off)/i.test(variable.value) ||
      (/SSL_?MODE/i.test(variable.name) && /^(?:disable|off|false|0)$/i.test(variable.value)),
  );
  return setting === undefined || view.inspect === null
    ? null
    : cite(view.inspect, `Config.Env ${setting.name} switches TLS off`, view.name);
}

function serverSpeaksTls(view: ContainerView): Fact | null {
  const words = [...(view.inspect?.value.entrypoint ?? []), ...(view.inspect?.value.command ?? [])].join(" ");
  return view.inspect !== null && /ssl\s*=\s*(?:on|true|1|yes)\b|tls-port|require_secure_transport/i.test(words)
    ? cite(view.inspect, "Config.Cmd switches TLS on", view.name)
    : null;
}

function atClient(world: World, view: ContainerView): Finding[] {
  return [...stalePassword(world, view), ...insistsOnTls(world, view), ...avoidsTls(world, view)];
}

function avoidsTls(world: World, view: ContainerView): Finding[] {
  return complaintsOf(world, view, ["peer-access-rejected"]).flatMap(({ edge, told: said }) => {
    const server = containerOf(world, { host: edge.to.host, containerId: edge.to.containerId });
    if (server === null || !isPlainAgainstTls(view, server, said)) return [];
    const facts = [plainByChoice(view), serverSpeaksTls(server)].filter((fact) => fact !== null);
    return [
      faultAt(view, {
        cause: "ssl-required",
        summary: `${server.name} insists on TLS and ${view.name} is set not to use it`,
        facts: [...said.facts, ...facts],
        witnesses: ["docker-logs", "docker-inspect"],
        onsetMs: said.signals[0]?.line.atMs ?? null,
        weight: weight.proven,
        advice: [`Set the TLS mode of ${view.name} to require or prefer.`],
      }),
    ];
  });
}

/** The server knows the role and refuses its password: what the container was created with is no longer true. */
function stalePassword(world: World, view: ContainerView): Finding[] {
  const seen = view.inspect;
  const found = complaintsOf(world, view, ["peer-auth-failed"]).find(
    ({ told: said }) => said.last.technology !== "redis",
  );
  if (seen === null || found === undefined) return [];
  const { edge, told: said } = found;
  const server =
    world.containers.find((other) => other.id === edge.to.containerId && other.host === edge.to.host) ?? null;
  // PostgreSQL tells clients a missing role as a wrong password; only its own log says which it is.
  if (server !== null && complaintsAbout(world, server, ["peer-role-missing"]).signals.length > 0) return [];
  const heard = server === null ? null : told(world, server, ["peer-auth-failed", "server-auth-failed"]);
  const secrets = seen.value.env.filter((variable) =>
    /PASS(?:WORD|WD)?|SECRET|_URL$|_URI$|_DSN$|TOKEN/i.test(variable.name),
  );
  const twice = secrets.map((variable) => givenTwice(view, variable.name)).find((fact) => fact !== null) ?? null;
  const names = secrets.map((variable) => variable.name);
  const facts = [
    ...said.facts,
    ...(heard?.facts ?? []),
    cite(
      seen,
      `created ${seen.value.createdAtMs === null ? "earlier" : new Date(seen.value.createdAtMs).toISOString()} with ${names.join(", ") || "no secret in its environment"}`,
      view.name,
    ),
    ...(twice === null ? [] : [twice]),
  ];
  return [
    faultAt(view, {
      cause: twice === null ? "secret-rotated-stale-env" : "env-shadowed",
      summary:
        twice === null
          ? `${edge.to.container} refuses the password of ${view.name}: the secret was changed and ${view.name} still has another one`
          : `${edge.to.container} refuses the password of ${view.name}, which is given twice in its environment; the wrong one wins`,
      facts,
      witnesses: ["docker-logs", ...(heard === null ? [] : ["server-log"])],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: heard === null ? weight.told : weight.strong,
      advice: [
        `Give ${view.name} the present secret and create it anew: a restart keeps the old environment. ${edge.to.container} is not broken.`,
      ],
    }),
  ];
}

function insistsOnTls(world: World, view: ContainerView): Finding[] {
  const found = complaintsOf(world, view, ["peer-tls-unsupported", "peer-tls-required"])[0];
  const seen = view.inspect;
  if (found === undefined || seen === null) return [];
  // "no pg_hba.conf entry … no encryption" is first of all about the access list.
  if (found.told.signals.every((signal) => /pg_hba\.conf/.test(signal.line.text))) return [];
  const unsupported = found.told.signals.some((signal) => signal.kind === "peer-tls-unsupported");
  const peer = found.edge.to.container;
  const setting = seen.value.env.find((variable) => /sslmode=|ssl=|SSL/i.test(`${variable.name}=${variable.value}`));
  return [
    faultAt(view, {
      cause: "ssl-required",
      summary: unsupported
        ? `${view.name} insists on TLS and ${peer} does not speak it`
        : `${peer} insists on TLS and ${view.name} does not speak it`,
      facts: [
        ...found.told.facts,
        cite(
          seen,
          setting === undefined ? "State.Status=running" : `Config.Env ${setting.name} sets the TLS mode`,
          view.name,
        ),
      ],
      witnesses: ["docker-logs", ...(setting === undefined ? [] : ["docker-inspect"])],
      onsetMs: found.told.signals[0]?.line.atMs ?? null,
      weight: setting === undefined ? weight.told : weight.strong,
      advice: [`Make the TLS mode of ${view.name} and of ${peer} agree; no certificate is at fault.`],
    }),
  ];
}
