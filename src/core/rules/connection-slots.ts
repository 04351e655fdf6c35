import { complaintFacts, complaintsAbout, recentSignals, signalFacts } from "../complaints.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import type { SignalKind } from "../log-signals.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { serverKind } from "../servers.ts";
import { type Client, clientsOf, linkTo } from "../sessions.ts";
import type { ContainerView, World } from "../world.ts";

const refusals: readonly SignalKind[] = ["peer-too-many-connections", "peer-reserved-slots", "server-too-many-clients"];

/**
 * The server refuses new connections because all are taken. The client that holds most of them is at fault, neither the
 * server nor the client that is refused; process titles or the server's socket table count them by address.
 */
export const connectionSlots: Rule = {
  name: "connection-slots",
  causes: ["pg-too-many-connections", "pg-reserved-slots"],
  needs: ["docker-logs", "docker-top", "process-facts"],
  evaluate(world, view) {
    const complaints = complaintsAbout(world, view, refusals);
    const own = serverKind(world, view) === null ? [] : recentSignals(world, view, refusals);
    if (complaints.length === 0 && own.length === 0) return [];
    const last = [...complaints.flatMap((entry) => entry.signals), ...own]
      .sort((a, b) => (a.line.atMs ?? 0) - (b.line.atMs ?? 0))
      .at(-1);
    const cause = last?.kind === "peer-reserved-slots" ? "pg-reserved-slots" : "pg-too-many-connections";
    const said = [...complaintFacts(complaints.slice(0, 2)), ...signalFacts(view, own.slice(-1))];
    const witnesses = [
      ...(complaints.length > 0 ? ["docker-logs of callers"] : []),
      ...(own.length > 0 ? ["docker-logs"] : []),
    ];
    const holder = holderOf(world, view);
    return [holder === null ? unheld(view, cause, said) : held(view, cause, holder, said, witnesses)];
  },
};

/** More than half of all, or twice as many as the next. */
function holderOf(world: World, view: ContainerView): Client | null {
  const clients = clientsOf(world, view);
  const [first, second] = clients;
  if (first === undefined || first.connections < limits.holderConnections) return null;
  const all = clients.reduce((sum, client) => sum + client.connections, 0);
  return first.connections * 2 > all || first.connections >= 2 * (second?.connections ?? 0) ? first : null;
}

function held(
  server: ContainerView,
  cause: "pg-too-many-connections" | "pg-reserved-slots",
  holder: Client,
  said: Fact[],
  witnesses: string[],
): Finding {
  const slots =
    cause === "pg-reserved-slots"
      ? "every connection slot that is not reserved for superusers"
      : "the connection slots";
  const draft = {
    cause,
    summary: `${holder.name} holds ${slots} of ${server.name}: ${holder.connections} connections, so others are refused`,
    facts: [...holder.facts, ...said],
    witnesses: [...witnesses, server.top === null ? "process-facts" : "docker-top"],
    weight: weight.proven,
    advice: [
      `Bound the connection pool of ${holder.name} and give connections back; a restart of ${holder.name} frees the slots at once. ${server.name} itself needs no restart.`,
    ],
    ...linkTo(server, holder),
  };
  if (holder.view !== null && holder.view !== server) return faultAt(holder.view, draft);
  if (holder.view === server) return { ...faultAt(server, draft), actOn: null, weight: weight.strong };
  return hostFault(server.host, draft);
}

/** Nobody could be counted: the server is where the trail ends, and not more. */
function unheld(server: ContainerView, cause: Finding["cause"], said: Fact[]): Finding {
  return faultAt(server, {
    cause,
    summary: `${server.name} refuses new connections because all are taken; who holds them was not seen`,
    facts: said,
    witnesses: ["docker-logs"],
    weight: weight.weak,
    actOn: null,
  });
}
