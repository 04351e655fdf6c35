import type { Cause } from "../causes.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import type { LogSignal } from "../log-signals.ts";
import { isAddress } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeProbe } from "../symptom.ts";
import { complaintsOf, type Told, told } from "../told.ts";
import { type ContainerView, cite, containerOf, type World } from "../world.ts";

/**
 * A proxy refuses or gives up by its own settings, while what stands behind it works: it waits too briefly, takes no
 * large body, limits the rate, or has no connections of its own left.
 */
export const proxyLimits: Rule = {
  name: "proxy-limits",
  causes: ["nginx-timeout-too-short", "body-too-large", "rate-limited", "worker-connections"],
  needs: ["docker-inspect", "docker-logs"],
  evaluate(world, view) {
    if (view.inspect === null || !view.inspect.value.running) return [];
    return [
      ...tooShort(world, view),
      ...ownLimit(view, told(world, view, ["worker-connections-exhausted"]), "worker-connections"),
      ...ownLimit(
        view,
        told(world, view, ["rate-limited"], (signal) => isOwnWord(view, signal)),
        "rate-limited",
      ),
      ...ownLimit(view, told(world, view, ["body-too-large"]), "body-too-large"),
    ];
  },
};

/** Programs also quote the limits of services they call; only a server speaks of its zones or names its client. */
function isOwnWord(view: ContainerView, signal: LogSignal): boolean {
  const { text } = signal.line;
  const proxy = /nginx|haproxy|traefik|envoy|caddy|openresty|httpd|apache|kong|apisix/i.test(
    `${view.inspect?.value.image} ${[...(view.inspect?.value.entrypoint ?? []), ...(view.inspect?.value.command ?? [])].join(" ")}`,
  );
  return signal.technology === "nginx" || proxy || /\b(?:client|ip|remote|from)\b/i.test(text);
}

const words: Record<
  "worker-connections" | "rate-limited" | "body-too-large",
  { says: string; advice: string; weight: number }
> = {
  "worker-connections": {
    says: "has no connections of its own left: its limit is too small, and what stands behind it is not asked at all",
    advice: "Raise its connection limit (nginx: worker_connections, and worker_rlimit_nofile with it).",
    weight: weight.strong,
  },
  "rate-limited": {
    says: "rejects requests by its own rate limit; what stands behind it is idle",
    advice:
      "Look which client sends so much, and stop it or give it its own limit; else raise the rate and burst of the limit.",
    weight: weight.strong,
  },
  "body-too-large": {
    says: "refuses requests whose body is larger than its limit",
    advice: "Raise the limit for bodies on that path (nginx: client_max_body_size), if such uploads are wanted.",
    weight: weight.told,
  },
};

function ownLimit(
  view: ContainerView,
  said: Told | null,
  cause: "worker-connections" | "rate-limited" | "body-too-large",
): Finding[] {
  if (said === null || view.inspect === null) return [];
  const count = view.signals.filter((signal) => said.signals.includes(signal)).length;
  const { says, advice } = words[cause];
  const failed = refusals(view, cause);
  const facts = [
    ...said.facts,
    ...(view.logs === null ? [] : [cite(view.logs, `${count} such lines in what was read of its log`, view.name)]),
    ...failed.facts,
    cite(view.inspect, "State.Status=running", view.name),
  ];
  const clients = Object.entries(countBy(said.signals.flatMap((signal) => signal.parts["client"] ?? []))).sort(
    (a, b) => b[1] - a[1],
  );
  const loudest = clients[0];
  return [
    faultAt(view, {
      cause: cause as Cause,
      summary: `${view.name} ${says}${loudest !== undefined && isAddress(loudest[0]) ? `; most of it comes from ${loudest[0]}` : ""}`,
      facts,
      witnesses: ["docker-logs", ...failed.witnesses],
      onsetMs: said.signals[0]?.line.atMs ?? null,
      weight: words[cause].weight,
      advice: [advice],
    }),
  ];
}

function countBy(values: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** Answers that show the limit from outside. */
function refusals(view: ContainerView, cause: string) {
  const statuses = cause === "rate-limited" ? [429, 503] : cause === "body-too-large" ? [413] : [500, 503];
  const probe = view.probes.find((entry) => statuses.includes(entry.value.httpStatus ?? 0));
  return probe === undefined
    ? { facts: [], witnesses: [] }
    : {
        facts: [cite(probe, `GET ${probe.value.path} answered ${probe.value.httpStatus}`, view.name)],
        witnesses: ["http-probe"],
      };
}

/**
 * The proxy gave up reading, and the service behind it finished the same request with success. A service that hangs, or
 * that fails by itself, is another cause.
 */
function tooShort(world: World, view: ContainerView): Finding[] {
  return complaintsOf(world, view, ["upstream-timeout"]).flatMap(({ edge, told: said }) => {
    const upstream = containerOf(world, { host: edge.to.host, containerId: edge.to.containerId });
    if (upstream === null || upstream.inspect?.value.running !== true || upstream.inspect.value.paused) return [];
    const paths = said.signals.flatMap((signal) => pathOf(signal) ?? []);
    const first = said.signals[0]?.line.atMs ?? null;
    const finished = upstream.signals.findLast(
      (signal) =>
        signal.kind === "http-ok" &&
        paths.includes(signal.parts["path"] ?? "") &&
        (first === null || signal.line.atMs === null || signal.line.atMs >= first - 1_000),
    );
    const failed = upstream.signals.some(
      (signal) =>
        signal.kind === "http-5xx" && paths.includes(signal.parts["path"] ?? "") && !isGoneClient(upstream, signal),
    );
    const waited = answeredLate(upstream, paths);
    const proof =
      finished !== undefined && upstream.logs !== null
        ? cite(upstream.logs, finished.line.text, upstream.name)
        : waited === undefined
          ? null
          : cite(waited, `${describeProbe(waited.value)} after ${waited.value.durationMs} ms`, upstream.name);
    if (proof === null || failed) return [];
    return [
      faultAt(view, {
        cause: "nginx-timeout-too-short",
        summary: `${view.name} gives up waiting before ${upstream.name} has answered, and ${upstream.name} finishes the same requests with success`,
        facts: [...said.facts, proof],
        witnesses: ["docker-logs", finished === undefined ? "http-probe" : "upstream-logs"],
        onsetMs: first,
        weight: weight.strong,
        advice: [
          `Give ${view.name} a read timeout longer than the slowest request of ${upstream.name} (nginx: proxy_read_timeout), or make that request faster. ${upstream.name} does not hang.`,
        ],
      }),
    ];
  });
}

/** Asked without the proxy it answers well, and slowly: a quick answer would only show that a stall is over. */
function answeredLate(upstream: ContainerView, paths: readonly string[]) {
  return upstream.probes.find(
    ({ value }) =>
      value.kind === "http" &&
      paths.includes(value.path ?? "") &&
      value.failure === null &&
      (value.httpStatus ?? 500) < 400 &&
      value.durationMs >= limits.slowProbeMs,
  );
}

/** Some programs log a success and then, because nobody waits for the answer any more, a failure of the same request. */
function isGoneClient(upstream: ContainerView, failure: LogSignal): boolean {
  return upstream.signals.some(
    (signal) =>
      signal.kind === "http-ok" &&
      signal.parts["path"] === failure.parts["path"] &&
      Math.abs((signal.line.atMs ?? 0) - (failure.line.atMs ?? 0)) <= limits.sameMomentMs,
  );
}

function pathOf(signal: LogSignal): string | null {
  return (
    /request: "[A-Z]{3,7} (\/[^\s"?]{0,300})/.exec(signal.line.text)?.[1] ??
    /"[A-Z]{3,7} (\/[^\s"?]{0,300})/.exec(signal.line.text)?.[1] ??
    null
  );
}
