import type { Finding } from "../diagnosis.ts";
import { edgesFrom } from "../graph.ts";
import { answersNow, listensOutside, ownFailure } from "../own-failure.ts";
import type { ContainerInspect, HealthState } from "../readings.ts";
import { composeProject, composeService } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { describeProbe, isFailure } from "../symptom.ts";
import { isCurrent } from "../told.ts";
import { type ContainerView, cite, containerOf, type World } from "../world.ts";

/**
 * The health check is judged, not believed: its own results (the engine keeps five, of 4,096 bytes each) against what
 * the service really answers. A check that cannot work, or that is given too little time, is no fault of the service; a
 * check that tests nothing hides one; a check that never turns good keeps dependants from starting.
 */
export const healthCheck: Rule = {
  name: "health-check",
  causes: ["probe-broken", "probe-too-tight", "false-healthy", "depends-on-never"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (view.inspect === null || inspect === undefined) return [];
    if (inspect.status === "created") return waitsForHealth(world, view);
    if (!inspect.running || inspect.health === null || inspect.healthcheck === null) return [];
    if (inspect.health.status === "healthy") return falseHealthy(world, view, inspect);
    return misjudged(world, view, inspect, inspect.health);
  },
};

type Misjudgement = { cause: "probe-broken" | "probe-too-tight"; why: string; text: string };

/** What the check's own results say against the check; null when they may as well speak against the service. */
export function misjudgement(view: ContainerView): Misjudgement | null {
  const inspect = view.inspect?.value;
  const failed = (inspect?.health?.log ?? []).filter((entry) => entry.exitCode !== 0);
  const last = failed.at(-1);
  if (inspect === undefined || inspect.healthcheck === null || last === undefined) return null;
  const output = last.output.trim().slice(0, 200);
  const text = `Health.Log: exit ${last.exitCode}: ${output === "" ? "no output" : output}`;
  const tooLong = failed.filter((entry) => /exceeded timeout|timed? ?out/i.test(entry.output) && entry.exitCode === -1);
  const timeoutMs = inspect.healthcheck.timeoutMs ?? 30_000;
  if (tooLong.length * 2 > failed.length && answersNow(view))
    return {
      cause: "probe-too-tight",
      why: `its time limit of ${timeoutMs} ms is shorter than an answer takes`,
      text: `${text}; Healthcheck.Timeout=${timeoutMs} ms`,
    };
  if (cannotRun(last.exitCode, output))
    return { cause: "probe-broken", why: "the command itself cannot run in the container", text };
  if (testsNothing(inspect, false))
    return { cause: "probe-broken", why: "its command always fails, whatever the service does", text };
  const port = portOf(inspect.healthcheck.test.join(" "));
  const listening = view.process?.value.listeners.map((socket) => socket.port) ?? [];
  if (port !== null && listensOutside(view) && !listening.includes(port))
    return {
      cause: "probe-broken",
      why: `it asks port ${port}, where nothing listens`,
      text: `${text}; Healthcheck.Test names port ${port}`,
    };
  if (/\b(?:404|403|401|405|301|302|30[78])\b|not found/i.test(output) || (last.exitCode === 22 && answersNow(view)))
    return { cause: "probe-broken", why: "it asks for a path that the service does not serve it", text };
  if (sameUrlWorks(view)) return { cause: "probe-broken", why: "the very address it asks answers others", text };
  return null;
}

function misjudged(world: World, view: ContainerView, inspect: ContainerInspect, health: HealthState): Finding[] {
  const against = misjudgement(view);
  if (against === null || health.status !== "unhealthy" || !(answersNow(view) || listensOutside(view))) return [];
  const works =
    !view.probes.some((probe) => isFailure(probe.value)) && ownFailure(world, view) === null && !complains(world, view);
  const fault = works && world.subjects.includes(view);
  const answered = view.probes.find((probe) => probe.value.failure === null);
  const check = view.inspect as NonNullable<ContainerView["inspect"]>;
  return [
    faultAt(view, {
      cause: against.cause,
      kind: fault ? "fault" : "hazard",
      summary: `${view.name} works; its health check does not: ${against.why}`,
      facts: [
        cite(check, `Health.Status=${health.status} FailingStreak=${health.failingStreak}; ${against.text}`, view.name),
        cite(check, `Healthcheck.Test=${inspect.healthcheck?.test.join(" ")}`, view.name),
        ...(answered === undefined ? [] : [cite(answered, describeProbe(answered.value), view.name)]),
      ],
      witnesses: [
        "docker-inspect",
        ...(answered === undefined ? [] : [answered.value.kind === "http" ? "http-probe" : "tcp-probe"]),
      ],
      past: true,
      weight: fault ? weight.strong : weight.weak,
      advice: [
        `Correct the health check of ${view.name}; as long as it fails, whatever trusts it (depends_on, a helper that restarts, a balancer) is misled.`,
      ],
    }),
  ];
}

/** Healthy by a check that would be so whatever happens, while requests fail. The real cause is told where it is known. */
function falseHealthy(world: World, view: ContainerView, inspect: ContainerInspect): Finding[] {
  const failing = view.probes.filter((probe) => isFailure(probe.value));
  const own = ownFailure(world, view);
  if (!testsNothing(inspect, true) || (failing.length === 0 && own === null)) return [];
  const check = view.inspect as NonNullable<ContainerView["inspect"]>;
  return [
    faultAt(view, {
      cause: "false-healthy",
      kind: world.subjects.includes(view) && !complains(world, view) ? "fault" : "hazard",
      summary: `${view.name} is called healthy by a check that tests nothing that matters, while its requests fail`,
      facts: [
        cite(check, `Health.Status=healthy Healthcheck.Test=${inspect.healthcheck?.test.join(" ")}`, view.name),
        ...failing.slice(0, 1).map((probe) => cite(probe, describeProbe(probe.value), view.name)),
        ...(own?.facts ?? []).slice(0, 2),
      ],
      witnesses: [
        "docker-inspect",
        ...(failing.length > 0 ? ["http-probe"] : []),
        ...(own === null ? [] : own.witnesses),
      ],
      weight: weight.hinted,
      advice: [`Let the health check of ${view.name} ask for a path that needs what users need.`],
    }),
  ];
}

/** Created, never started, and waiting for the health of something that works but is never called healthy. */
function waitsForHealth(world: World, view: ContainerView): Finding[] {
  const label = view.summary?.value.labels["com.docker.compose.depends_on"] ?? "";
  const waiting = label
    .split(",")
    .map((entry) => entry.split(":"))
    .filter(([, condition]) => condition === "service_healthy")
    .map(([service]) => service ?? "");
  if (waiting.length === 0 || view.inspect === null || (view.inspect.value.exitCode ?? 0) !== 0) return [];
  const dependencies = [
    ...edgesFrom(world.edges, view.ref).map((edge) => (edge.to.host === null ? null : containerOf(world, edge.to))),
    ...world.containers.filter((other) => other.host === view.host && composeProject(other) === composeProject(view)),
  ].filter((other): other is ContainerView => other !== null && other !== view);
  const blocking = dependencies.find((other) => {
    const names = [composeService(other), other.name];
    const health = other.inspect?.value.health;
    return (
      waiting.some((service) => names.includes(service)) &&
      other.inspect?.value.running === true &&
      health != null &&
      health.status !== "healthy"
    );
  });
  if (blocking === undefined) return [];
  return [neverHealthy(world, view, blocking, label)];
}

function neverHealthy(world: World, view: ContainerView, blocking: ContainerView, label: string): Finding {
  const check = blocking.inspect as NonNullable<ContainerView["inspect"]>;
  const against = misjudgement(blocking);
  const answered = blocking.probes.find((probe) => probe.value.failure === null);
  const works = against !== null || (answersNow(blocking) && ownFailure(world, blocking) === null);
  const fact = cite(
    view.summary as NonNullable<ContainerView["summary"]>,
    `com.docker.compose.depends_on=${label}`,
    view.name,
  );
  return faultAt(blocking, {
    cause: "depends-on-never",
    summary: `${view.name} was never started: it waits until ${blocking.name} is healthy, and the health check of ${blocking.name} never succeeds${works ? ` although ${blocking.name} works${against === null ? "" : `: ${against.why}`}` : ""}`,
    facts: [
      cite(check, `Health.Status=${check.value.health?.status} ${against?.text ?? ""}`.trim(), blocking.name),
      fact,
      cite(
        view.inspect as NonNullable<ContainerView["inspect"]>,
        "State.Status=created: it was never started",
        view.name,
      ),
      ...(answered === undefined ? [] : [cite(answered, describeProbe(answered.value), blocking.name)]),
    ],
    witnesses: ["docker-inspect", "docker-list", ...(answered === undefined ? [] : ["tcp-probe"])],
    shownBy: view.ref,
    link: { proof: "label", facts: [fact] },
    actOn: view.ref,
    weight: works ? weight.proven + 1 : weight.told,
    advice: [
      `Correct the health check of ${blocking.name}; starting ${view.name} by hand helps only until the next deployment.`,
    ],
  });
}

function complains(world: World, view: ContainerView): boolean {
  return edgesFrom(world.edges, view.ref).some((edge) =>
    edge.failures.some((signal) => isCurrent(world, view, signal)),
  );
}

function cannotRun(exitCode: number, output: string): boolean {
  if (exitCode === 126 || exitCode === 127) return true;
  return /executable file not found|exec failed|: not found\b|command not found|no such file or directory|permission denied|unrecognized option|invalid option|unknown option|modulenotfounderror|can't open file/i.test(
    output,
  );
}

/** A check that cannot tell: it always succeeds (or, for `always` false, always fails), or it only looks for a process or a file. */
function testsNothing(inspect: ContainerInspect, succeeds: boolean): boolean {
  const [form, ...words] = inspect.healthcheck?.test ?? [];
  const command = words
    .join(" ")
    .trim()
    .replace(/^(\/(usr\/)?bin\/)?(ba)?sh -c /, "")
    .replace(/^["']|["']$/g, "")
    .trim();
  if (form === undefined || form === "NONE") return false;
  if (!succeeds) return /^(exit [1-9]\d*|(\/(usr\/)?bin\/)?false)$/.test(command);
  return (
    /^(exit 0|:|(\/(usr\/)?bin\/)?(true|echo|printf|date|hostname|uptime|id|whoami)\b.*|(\/(usr\/)?bin\/)?(pgrep|pidof|ps|ls|cat|test|\[|stat|kill -0)\b[^|&;]*(\|\s*grep\b[^|&;]*)?)$/.test(
      command,
    ) || /\|\|\s*(exit 0|true|:)\s*$/.test(command)
  );
}

/** The port a check names, in a URL or as `host port`. */
function portOf(test: string): number | null {
  const found =
    /:\/\/[\w.-]+:(\d{2,5})/.exec(test) ??
    /(?:localhost|127\.0\.0\.1|0\.0\.0\.0)[: ](\d{2,5})/.exec(test) ??
    /-p\s*(\d{2,5})\b/.exec(test);
  return found === null ? null : Number(found[1]);
}

function sameUrlWorks(view: ContainerView): boolean {
  const test = view.inspect?.value.healthcheck?.test.join(" ") ?? "";
  const path = /https?:\/\/[^\s/'"]+(\/[A-Za-z0-9/_.-]*)/.exec(test)?.[1] ?? (/https?:\/\//.test(test) ? "/" : null);
  return (
    path !== null &&
    view.probes.some(
      (probe) =>
        probe.value.kind === "http" &&
        probe.value.path === path &&
        probe.value.failure === null &&
        (probe.value.httpStatus ?? 500) < 400,
    )
  );
}
