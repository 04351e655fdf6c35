import { callsTo, citeLine, recentSignal } from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import { limits } from "../limits.ts";
import type { SignalKind } from "../log-signals.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, type HostView, hostOf, lastOk, type World } from "../world.ts";

/** A clock that is wrong, and credentials that are past their end though every clock is right. */
export const wrongTime: Rule = {
  name: "wrong-time",
  causes: ["host-clock-skew", "token-expired", "clock-skewed-evidence"],
  needs: ["host-clock", "docker-logs"],
  evaluate: tokenExpired,
  evaluateHost: skewed,
};

const timeBound: SignalKind[] = ["peer-cert-expired", "peer-cert-not-yet-valid", "license-or-token-expired"];
const skewWords =
  /clock skew|RequestTimeTooSkewed|used before issued|not yet valid|iat|nbf|issued in the future|time drift|clock .{0,20}(?:ahead|behind|off)/i;

/** Only our own clock is the measure; a host that stands apart from it and from the other hosts is the wrong one. */
function skewed(world: World, host: HostView): Finding[] {
  const offset = host.clockOffsetMs;
  const clock = lastOk(world.readings, "host-clock", host.name);
  if (clock === null || Math.abs(offset) < limits.clockSkewMs) return [];
  const seconds = Math.round(Math.abs(offset) / 1_000);
  const views = world.containers.filter((view) => view.host === host.name);
  const suffering = views.flatMap((view) => {
    const last = recentSignal(
      world,
      view,
      view.signals.filter((signal) => timeBound.includes(signal.kind) || skewWords.test(signal.line.text)),
    );
    return last === null
      ? []
      : citeLine(view, last).map((fact) => ({ fact, certificate: last.kind.startsWith("peer-cert") }));
  });
  const first = suffering[0];
  return [
    hostFault(host.name, {
      cause: first === undefined ? "clock-skewed-evidence" : "host-clock-skew",
      summary: `The clock of ${host.name} is ${seconds} seconds ${offset > 0 ? "ahead" : "behind"}${first === undefined ? "; times of this host were put right before they were compared" : ", and what is bound to time fails there"}`,
      facts: [
        cite(
          clock,
          `host clock ${new Date(clock.value.hostTimeMs).toISOString()}, read at ${new Date(clock.reading.atMs).toISOString()}: ${seconds} seconds apart`,
          null,
        ),
        ...(first === undefined ? [] : [first.fact]),
      ],
      witnesses: ["host-clock", ...(first === undefined ? [] : ["docker-logs"])],
      kind: first === undefined ? "hazard" : "fault",
      weight: first === undefined ? weight.weak : weight.proven + 2,
      advice: [`Set the clock of ${host.name} by a time service (chrony or systemd-timesyncd) and see why it drifted.`],
    }),
  ];
}

/** Its own credential is refused as too old. The holder of the credential is at fault, not who refuses it. */
function tokenExpired(world: World, view: ContainerView): Finding[] {
  const last = recentSignal(
    world,
    view,
    view.signals.filter((signal) => signal.kind === "license-or-token-expired"),
  );
  const offset = hostOf(world, view.host)?.clockOffsetMs ?? 0;
  if (last === null || Math.abs(offset) > limits.clockSkewMs) return [];
  // A server that refuses an old credential says so too; then its caller holds it.
  const holder = callsTo(world, view).find(({ caller }) =>
    caller.signals.some(
      (signal) => signal.kind === "license-or-token-expired" || /\b401\b|Unauthorized/i.test(signal.line.text),
    ),
  );
  if (holder !== undefined) return [];
  const often = view.signals.filter((signal) => signal.kind === "license-or-token-expired").length;
  const troubled =
    view.signals.some((signal) => signal.kind === "http-5xx") ||
    view.probes.some((probe) => (probe.value.httpStatus ?? 0) >= 500) ||
    view.inspect?.value.running === false;
  const subject = world.subjects.includes(view);
  return [
    faultAt(view, {
      cause: "token-expired",
      summary: `${view.name} uses a token, key or licence that is past its end; the clock of ${view.host} is right`,
      facts: [...citeLine(view, last), ...clockFact(world, view)],
      witnesses: ["docker-logs", ...(clockFact(world, view).length > 0 ? ["host-clock"] : [])],
      onsetMs: last.line.atMs,
      weight: troubled || (subject && often > 1) ? weight.told + 5 : weight.hinted,
      advice: [
        `Issue a new credential and give it to ${view.name} (its environment, secret or file), then recreate it.`,
      ],
    }),
  ];
}

function clockFact(world: World, view: ContainerView) {
  const clock = lastOk(world.readings, "host-clock", view.host);
  return clock === null
    ? []
    : [
        cite(
          clock,
          `host clock ${new Date(clock.value.hostTimeMs).toISOString()}, read at ${new Date(clock.reading.atMs).toISOString()}`,
          null,
        ),
      ];
}
