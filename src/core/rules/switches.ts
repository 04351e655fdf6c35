import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { limits } from "../limits.ts";
import type { EnvVar } from "../readings.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeProbe } from "../symptom.ts";
import { told } from "../told.ts";
import { type ContainerView, cite, hostNowMs, hostOf, type World } from "../world.ts";

/** Somebody turned a switch: 503 by design, or a path that fails since a feature was switched. */
export const switches: Rule = {
  name: "switches",
  causes: ["maintenance-mode", "feature-flag-flip"],
  needs: ["docker-inspect", "docker-logs", "http-probe"],
  evaluate(world, view) {
    if (view.inspect === null || view.inspect.value.status !== "running") return [];
    const maintenance = inMaintenance(world, view);
    return maintenance.length > 0 ? maintenance : flagFlipped(world, view);
  },
};

const maintenanceWords =
  /maintenance|maintain|be (?:right )?back|temporarily (?:down|offline|closed|unavailable for)|scheduled downtime|planned (?:downtime|outage|work)|wartung|mantenimiento|manutention|entretien/i;

/** It answers 503 and says itself that this is meant: in the answer, its settings or its log. */
function inMaintenance(world: World, view: ContainerView): Finding[] {
  const refused = view.probes.find((probe) => probe.value.httpStatus === 503);
  if (refused === undefined) return [];
  const { bodyExcerpt, headers } = refused.value;
  const inBody = maintenanceWords.test(bodyExcerpt ?? "");
  const header = Object.entries(headers).find(([name, value]) => maintenanceWords.test(`${name} ${value}`));
  const setting = view.inspect?.value.env.find(
    (variable) => /MAINTENANCE|READ_?ONLY_MODE|DOWNTIME/i.test(variable.name) && isOn(variable),
  );
  const said = told(world, view, ["maintenance"]);
  const facts: Fact[] = [
    cite(refused, `${describeProbe(refused.value)}${inBody ? `: ${bodyExcerpt}` : ""}`, view.name),
  ];
  if (header !== undefined) facts.push(cite(refused, `header ${header[0]}: ${header[1]}`, view.name));
  if (setting !== undefined && view.inspect !== null)
    facts.push(cite(view.inspect, `Config.Env ${setting.name} is switched on`, view.name));
  if (said !== null) facts.push(...said.facts);
  if (!inBody && header === undefined && setting === undefined && said === null) return [];
  const state = setting !== undefined || said !== null;
  return [
    faultAt(view, {
      cause: "maintenance-mode",
      summary: `${view.name} answers 503 by design: it is in maintenance mode, and nothing is broken`,
      facts,
      witnesses: ["http-probe", ...(state ? ["docker-inspect"] : [])],
      weight: inBody || header !== undefined || setting !== undefined ? weight.proven : weight.told,
      advice: [`Ask who put ${view.name} into maintenance before anything is done; a restart changes nothing.`],
    }),
  ];
}

function isOn(variable: EnvVar): boolean {
  return /^(?:1|true|on|yes|y|enabled|active)$/i.test(variable.value.trim());
}

const flagName =
  /(?:^|_)(?:FEATURE|FEATURES|FLAG|FLAGS|TOGGLE|EXPERIMENT|EXPERIMENTAL|ENABLE|ENABLED|DISABLE|USE_NEW|NEW|BETA|FF|ROLLOUT)(?:_|$)/i;

/**
 * One path fails by the program's own exception while others work, and a switch was turned just before: the log says
 * so, or the container was made anew from the same image with a switch among its settings.
 */
function flagFlipped(world: World, view: ContainerView): Finding[] {
  const failing = new Set(
    view.signals.flatMap((signal) =>
      signal.kind === "http-5xx" && signal.parts["path"] !== undefined ? [signal.parts["path"]] : [],
    ),
  );
  const working = view.signals.some((signal) => signal.kind === "http-ok" && !failing.has(signal.parts["path"] ?? ""));
  const probed = view.probes.some((probe) => probe.value.httpStatus !== null && probe.value.httpStatus < 400);
  const blamesPeer = world.edges.some((edge) => edge.from.containerId === view.id && edge.failures.length > 0);
  if (failing.size === 0 || failing.size > 3 || (!working && !probed) || blamesPeer || view.logs === null) return [];
  const firstFailure = view.signals.find((signal) => signal.kind === "http-5xx")?.line.atMs ?? null;
  const logged = view.signals.findLast(
    (signal) =>
      signal.kind === "flag-changed" &&
      signal.line.atMs !== null &&
      signal.line.atMs > hostNowMs(world, view.host) - limits.pastFaultMs &&
      (firstFailure === null || signal.line.atMs <= firstFailure + 1_000),
  );
  const failure = view.signals.findLast((signal) => signal.kind === "http-5xx");
  const replaced = logged === undefined ? madeAnew(world, view) : null;
  const setting = view.inspect?.value.env.find(
    (variable) =>
      flagName.test(variable.name) &&
      /^(?:0|1|true|false|on|off|yes|no|enabled|disabled|v\d+|new|old)$/i.test(variable.value.trim()),
  );
  const path = [...failing][0] ?? "";
  const evidence: Fact[] =
    logged !== undefined
      ? [cite(view.logs, logged.line.text, view.name)]
      : replaced !== null && setting !== undefined && view.inspect !== null
        ? [replaced, cite(view.inspect, `Config.Env ${setting.name} is a switch`, view.name)]
        : [];
  if (evidence.length === 0 || failure === undefined) return [];
  return [
    faultAt(view, {
      cause: "feature-flag-flip",
      summary: `${view.name} fails on ${path} since a switch was changed; its other paths work and its image is the same`,
      facts: [...evidence, cite(view.logs, failure.line.text, view.name)],
      witnesses: ["docker-logs", ...(replaced === null ? [] : ["docker-events"])],
      onsetMs: logged?.line.atMs ?? firstFailure,
      weight: logged !== undefined ? weight.strong : weight.told,
      advice: [
        `Turn the switch back${setting === undefined ? "" : ` (${setting.name})`} and see whether ${path} works again; a restart keeps it as it is.`,
      ],
    }),
  ];
}

/** A container of the same name and the same image ended just before this one was made. */
function madeAnew(world: World, view: ContainerView): Fact | null {
  const events = hostOf(world, view.host)?.events ?? null;
  const created = view.inspect?.value.createdAtMs ?? null;
  const gone = events?.value.events.findLast(
    (event) =>
      event.type === "container" &&
      event.action === "destroy" &&
      event.actorId !== view.id &&
      event.name === view.name &&
      event.attributes["image"] === view.inspect?.value.image &&
      created !== null &&
      Math.abs(event.atMs - created) < limits.recentTroubleMs,
  );
  return events === null || gone === undefined
    ? null
    : cite(
        events,
        `an earlier ${view.name} of the same image ${gone.attributes["image"]} was removed at ${new Date(gone.atMs).toISOString()}`,
        view.name,
      );
}
