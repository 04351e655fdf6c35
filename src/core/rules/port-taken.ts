import { citeInspect, citeLine, recentSignal } from "../callers.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { withoutTimes } from "../log-signals.ts";
import { faultAt, hostFault, type Rule, weight } from "../rule.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * A container that could not start, or a program that could not listen, because its port is taken. The holder is at
 * fault: another container's mapping, a sidecar in the same network namespace, or a process of the host.
 * The engine writes the reason into State.Error (libnetwork: "port is already allocated", docker-proxy: "address already
 * in use").
 */
export const portTaken: Rule = {
  name: "port-taken",
  causes: ["port-already-allocated", "address-pool-exhausted"],
  needs: ["docker-inspect"],
  evaluate(world, view) {
    const inspect = view.inspect?.value;
    if (inspect === undefined || (inspect.running && !inspect.restarting)) return [];
    return [...refusedByEngine(world, view), ...refusedByKernel(world, view), ...noAddress(world, view)];
  },
};

function refusedByEngine(world: World, view: ContainerView): Finding[] {
  const error = view.inspect?.value.error ?? "";
  if (!/port is already allocated|address already in use/i.test(error)) return [];
  const place = /(?:Bind for|listen tcp[46]?|exposing port TCP) (\[?[0-9a-fA-F.:]*?\]?):(\d{1,5})/i.exec(error);
  const port = place?.[2] === undefined ? null : Number(place[2]);
  const refusal = citeInspect(view, `State.Status=${view.inspect?.value.status} State.Error=${error}`);
  return [accuse(world, view, port, refusal, ["docker-inspect"])];
}

/** The program itself could not listen: possible only where it shares a namespace with somebody else. */
function refusedByKernel(world: World, view: ContainerView): Finding[] {
  const mode = view.inspect?.value.networkMode ?? "";
  const shares = world.containers.some((other) => other.inspect?.value.networkMode === `container:${view.id}`);
  if (mode !== "host" && !mode.startsWith("container:") && !shares) return [];
  const signal = recentSignal(
    world,
    view,
    view.signals.filter((entry) => entry.kind === "address-in-use"),
  );
  if (signal === null) return [];
  const text = withoutTimes(signal.line.text);
  const port = /:(\d{2,5})\b(?!.*:\d{2,5}\b)/.exec(text)?.[1] ?? /\bport (\d{1,5})\b/i.exec(text)?.[1];
  const configured = view.inspect?.value.env.find(
    ({ name, value }) => /^(.*_)?PORT$/.test(name) && /^\d+$/.test(value),
  );
  const number = port ?? configured?.value ?? null;
  const facts = [
    ...citeLine(view, signal),
    ...(port === undefined && configured !== undefined
      ? citeInspect(view, `Config.Env ${configured.name}=${configured.value}`)
      : []),
  ];
  return [accuse(world, view, number === null ? null : Number(number), facts, ["docker-logs", "docker-inspect"])];
}

function accuse(world: World, view: ContainerView, port: number | null, facts: Fact[], witnesses: string[]): Finding {
  const holder = port === null ? null : holderOf(world, view, port);
  const where = port === null ? "a port it needs" : `port ${port}`;
  const shared = { weight: weight.proven + 1, onsetMs: view.inspect?.value.finishedAtMs ?? null } as const;
  if (holder !== null) {
    return faultAt(holder.view, {
      cause: "port-already-allocated",
      summary: `${view.name} could not start because ${where} is taken by ${holder.view.name}`,
      facts: [...facts, holder.fact],
      witnesses: [...new Set([...witnesses, holder.fact.reading.source])],
      shownBy: view.ref,
      link: { proof: "address", facts: [holder.fact] },
      advice: [
        `Publish ${view.name} or ${holder.view.name} on another port, or stop ${holder.view.name} if it should not be there.`,
      ],
      ...shared,
    });
  }
  const process = port === null ? null : hostProcess(world, view, port);
  return hostFault(view.host, {
    cause: "port-already-allocated",
    summary: `${view.name} could not start because ${where} is taken on ${view.host} by a process outside Docker`,
    facts: [...facts, ...(process === null ? [] : [process])],
    witnesses: process === null ? witnesses : [...witnesses, "host-processes"],
    advice: [`Find the holder on ${view.host} (ss -ltnp) and stop it, or publish ${view.name} on another port.`],
    ...shared,
    weight: process === null ? weight.strong : weight.proven,
  });
}

/** A running container with that mapping; or one that listens on it in the same network namespace. */
function holderOf(world: World, view: ContainerView, port: number): { view: ContainerView; fact: Fact } | null {
  const mode = view.inspect?.value.networkMode ?? "";
  for (const other of world.containers) {
    const inspect = other.inspect;
    if (other === view || other.host !== view.host || inspect === null || !inspect.value.running) continue;
    const binding = [...inspect.value.portBindings, ...(other.summary?.value.ports ?? [])].find(
      (entry) => entry.hostPort === port,
    );
    const inMode = inspect.value.networkMode;
    const together =
      (mode === "host" && inMode === "host") ||
      mode === `container:${other.id}` ||
      inMode === `container:${view.id}` ||
      (mode.startsWith("container:") && mode === inMode);
    if (binding !== undefined && !mode.startsWith("container:"))
      return {
        view: other,
        fact: cite(
          inspect,
          `HostConfig.PortBindings ${port} -> ${binding.containerPort}/tcp of ${other.name}, State.Status=running`,
          other.name,
        ),
      };
    const socket = other.process?.value.listeners.find((entry) => entry.port === port);
    const told = inMode === "host" || together;
    if (socket !== undefined && other.process !== null && told)
      return {
        view: other,
        fact: cite(
          other.process,
          `${other.name} shares the network namespace in which ${socket.address}:${socket.port} listens`,
          other.name,
        ),
      };
  }
  return onlyCompanion(world, view, mode);
}

/** The only other container in the namespace, where its sockets were not read. */
function onlyCompanion(world: World, view: ContainerView, mode: string): { view: ContainerView; fact: Fact } | null {
  const others = world.containers.filter((other) => {
    const inMode = other.inspect?.value.networkMode ?? "";
    const together =
      mode === `container:${other.id}` ||
      inMode === `container:${view.id}` ||
      (mode.startsWith("container:") && mode === inMode);
    return other !== view && other.host === view.host && other.inspect?.value.running === true && together;
  });
  const [only] = others;
  if (only === undefined || others.length > 1 || only.inspect === null) return null;
  return {
    view: only,
    fact: cite(
      only.inspect,
      `${only.name} shares the network namespace with ${view.name}, State.Status=running`,
      only.name,
    ),
  };
}

/** A process whose command line names the port: the best that can be told without its socket table. */
function hostProcess(world: World, view: ContainerView, port: number): Fact | null {
  const processes = hostOf(world, view.host)?.processes;
  if (processes == null) return null;
  const row = processes.value.find(
    (entry) =>
      new RegExp(`(^|[^0-9])${port}([^0-9]|$)`).test(entry.args) &&
      !/docker-proxy|containerd|dockerd|\bps\b/.test(entry.args),
  );
  return row === undefined ? null : cite(processes, `pid ${row.pid}: ${row.args.slice(0, 200)}`, null);
}

/** The network has no address left, or the engine no range: told by the engine when the container was to start. */
function noAddress(world: World, view: ContainerView): Finding[] {
  const error = view.inspect?.value.error ?? "";
  const none =
    /no available IPv[46] addresses|non-overlapping IPv[46] address pool|address pools? .{0,40}(?:exhausted|subnetted)/i.test(
      error,
    );
  if (!none) return [];
  const networks = hostOf(world, view.host)?.networks;
  const ranges = networks?.value.filter((network) => network.subnets.length > 0).length ?? 0;
  return [
    hostFault(view.host, {
      cause: "address-pool-exhausted",
      summary: `${view.name} could not start because Docker on ${view.host} has no free address for it`,
      facts: [
        ...citeInspect(view, `State.Status=${view.inspect?.value.status} State.Error=${error}`),
        ...(networks == null ? [] : [cite(networks, `${ranges} networks with a range of their own`, null)]),
      ],
      witnesses: ["docker-inspect"],
      weight: weight.proven,
      advice: [
        "Remove networks nobody uses (docker network ls, then docker network rm by name), or give the engine a larger range with default-address-pools in daemon.json.",
      ],
    }),
  ];
}
