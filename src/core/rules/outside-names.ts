import { citeInspect, citeLine, recentSignal } from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import { configuredPeers, isPeerSignal, signalPeer } from "../graph.ts";
import { isAddress, isLoopback, resolvePeer } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/** Its own settings send look-ups or calls to a place that does not serve them: a dead name server, a proxy in between. */
export const outsideNames: Rule = {
  name: "outside-names",
  causes: ["dns-server-dead", "proxy-env-hijack"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    return [...deadNameServer(world, view), ...hijackedCalls(world, view)];
  },
};

/**
 * Names inside are answered by the engine; only outside names go to the configured server, so only those fail. A probe
 * of its port 53 from the host is the second witness: name servers answer over TCP too (RFC 7766).
 */
function deadNameServer(world: World, view: ContainerView): Finding[] {
  const servers = view.inspect?.value.dns ?? [];
  if (servers.length === 0) return [];
  const unknown = view.signals.filter((signal) => {
    const name = signal.peerHost ?? signalPeer(world, view, signal)?.name ?? "";
    const outside = isPeerSignal(signal) && name.includes(".") && !isAddress(name);
    return (
      outside &&
      (signal.kind === "peer-name-unknown" || signal.kind === "peer-timeout") &&
      resolvePeer(world, view, name, null).kind === "outside"
    );
  });
  const last = recentSignal(world, view, unknown);
  if (last === null) return [];
  const probes = hostOf(world, view.host)?.probes.filter((probe) => probe.value.port === 53) ?? [];
  const answered = probes.find((probe) => servers.includes(probe.value.address) && probe.value.failure === null);
  if (answered !== undefined) return [];
  const dead = probes.filter((probe) => servers.includes(probe.value.address));
  const transient = /temporary failure|EAI_AGAIN|try again|misbehaving|timed? ?out/i.test(last.line.text);
  if (!transient && dead.length === 0) return [];
  return [
    faultAt(view, {
      cause: "dns-server-dead",
      summary: `${view.name} asks the name server ${servers.join(", ")} for outside names and gets no answer: ${last.peerHost ?? signalPeer(world, view, last)?.name} cannot be resolved`,
      facts: [
        ...citeInspect(view, `HostConfig.Dns ${servers.join(", ")}`),
        ...citeLine(view, last),
        ...dead.map((probe) =>
          cite(probe, `tcp probe of ${probe.value.address}:53: ${probe.value.failure}`, view.name),
        ),
      ],
      witnesses: ["docker-logs", ...(dead.length > 0 ? ["tcp-probe"] : [])],
      weight: dead.length > 0 ? weight.proven : weight.told,
      advice: [
        `Correct the dns setting of ${view.name}, or bring that name server back; names of containers are not affected.`,
      ],
    }),
  ];
}

const proxyVariable = /^(https?|all)_proxy$/i;

/** Calls to an inner name go to the proxy that the environment names, because the exceptions do not list it. */
function hijackedCalls(world: World, view: ContainerView): Finding[] {
  const env = view.inspect?.value.env ?? [];
  const variable = env.find((entry) => proxyVariable.test(entry.name) && entry.value.trim() !== "");
  if (variable === undefined) return [];
  const proxy = proxyPlace(variable.value);
  const exceptions = env
    .filter((entry) => /^no_proxy$/i.test(entry.name))
    .flatMap((entry) => entry.value.toLowerCase().split(/[\s,]+/));
  const inner = configuredPeers(world, view).filter(
    ({ reference, resolution }) =>
      resolution.kind === "container" &&
      reference.host !== proxy?.host &&
      (reference.scheme === "http" || reference.scheme === "https") &&
      !proxyVariable.test(reference.where) &&
      !isExcepted(reference.host, exceptions),
  );
  const first = inner[0];
  if (first === undefined || proxy === null) return [];
  const failing = view.signals.filter((signal) => {
    const named = signal.peerHost === proxy.host || signalPeer(world, view, signal)?.name === proxy.host;
    const told = /proxy/i.test(signal.line.text);
    const inward = inner.some(({ reference }) => signal.line.text.includes(reference.host)) || signal.peerHost === null;
    return (isPeerSignal(signal) || signal.kind === "http-5xx") && (named || told || inward);
  });
  const last = recentSignal(world, view, failing);
  if (last === null) return [];
  const certain =
    /proxy/i.test(last.line.text) ||
    last.peerHost === proxy.host ||
    /Service Unavailable|Bad Gateway|Gateway Time|Forbidden/i.test(last.line.text);
  return [
    faultAt(view, {
      cause: "proxy-env-hijack",
      summary: `${view.name} sends its calls to ${first.reference.host} through the proxy ${proxy.host}, because ${variable.name} is set and NO_PROXY does not list ${first.reference.host}`,
      facts: [
        ...citeInspect(
          view,
          `Config.Env ${variable.name} names ${proxy.host}; ${exceptions.length === 0 ? "NO_PROXY is not set" : `NO_PROXY does not list ${first.reference.host}`}`,
        ),
        ...citeInspect(view, `Config.Env ${first.reference.where} names ${first.reference.host}`),
        ...citeLine(view, last),
      ],
      witnesses: ["docker-inspect", "docker-logs"],
      weight: certain ? weight.proven + 1 : weight.told,
      advice: [
        `Add ${first.reference.host} and the other inner names to NO_PROXY (and no_proxy) of ${view.name}, or take ${variable.name} away.`,
      ],
    }),
  ];
}

function proxyPlace(value: string): { host: string } | null {
  const host = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^@/\s]*@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)/.exec(value.trim())?.[1];
  return host === undefined || isLoopback(host) ? null : { host: host.replace(/^\[|\]$/g, "").toLowerCase() };
}

function isExcepted(host: string, exceptions: string[]): boolean {
  return exceptions.some(
    (entry) =>
      entry === "*" || entry === host || (entry !== "" && host.endsWith(entry.startsWith(".") ? entry : `.${entry}`)),
  );
}
