import { limits } from "./limits.ts";
import { composeProject, composeService } from "./resolve.ts";
import type { ContainerView, World } from "./world.ts";

type Scene = Omit<World, "subjects" | "edges">;

/**
 * The containers a service name means, best kind of match only: the configuration's container or label selector, then
 * the exact container name, the compose service, the compose container name (`shop-web-1`, `shop_web_1`), an id.
 */
export function findSubjects(scene: Scene): ContainerView[] {
  const { service, host } = scene.target;
  const entry = configuredService(scene, service);
  const allowed = scene.containers.filter(
    (view) =>
      (host === null || view.host === host) &&
      (entry === undefined || entry.hosts.length === 0 || entry.hosts.includes(view.host)),
  );
  const selector = entry?.container ?? service;
  if (selector.includes("=")) return allowed.filter((view) => hasLabel(view, selector));
  const wanted = selector.toLowerCase();
  const ways: ((view: ContainerView) => boolean)[] = [
    (view) => view.name.toLowerCase() === wanted,
    (view) => composeService(view)?.toLowerCase() === wanted,
    (view) => isComposeName(view, wanted),
    (view) => wanted.length >= 6 && view.id.startsWith(wanted),
  ];
  for (const way of ways) {
    const found = allowed.filter(way);
    if (found.length > 0) return found;
  }
  return [];
}

/** The service the configuration has under that name: as it is written there, else in any case. */
function configuredService(scene: Scene, service: string): World["settings"]["services"][number] | undefined {
  const known = scene.settings.services;
  const asked = service.toLowerCase();
  return known.find(({ name }) => name === service) ?? known.find(({ name }) => name.toLowerCase() === asked);
}

/** Names close to the asked one, nearest first, for `not-found`. */
export function nearNames(scene: Scene): { name: string; host: string }[] {
  const asked = scene.target.service.toLowerCase();
  const seen = scene.containers.flatMap((view) =>
    [view.name, composeService(view)]
      .filter((name): name is string => name !== null)
      .map((name) => ({ name, host: view.host })),
  );
  const hosts = scene.hosts.map((host) => host.name);
  const configured = scene.settings.services.flatMap((service) =>
    hosts
      .filter((host) => service.hosts.length === 0 || service.hosts.includes(host))
      .map((host) => ({ name: service.name, host })),
  );
  const names = [...seen, ...configured];
  const unique = names.filter(
    (entry, at) => names.findIndex((other) => other.name === entry.name && other.host === entry.host) === at,
  );
  return unique
    .map((entry) => ({
      ...entry,
      distance: nameDistance(asked, entry.name.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, limits.nearNames)
    .map(({ name, host }) => ({ name, host }));
}

function hasLabel(view: ContainerView, selector: string): boolean {
  const at = selector.indexOf("=");
  return view.summary?.value.labels[selector.slice(0, at)] === selector.slice(at + 1);
}

function isComposeName(view: ContainerView, wanted: string): boolean {
  const name = view.name.toLowerCase();
  const project = composeProject(view)?.toLowerCase();
  const parts = name.split(/[-_]/);
  if (project === undefined) return parts.length === 3 && parts[1] === wanted && /^\d+$/.test(parts[2] ?? "");
  return new RegExp(`^[-_]${escapeRegExp(wanted)}[-_]\\d+$`).test(name.slice(project.length));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Edit distance, with a bonus for one name containing the other. */
function nameDistance(a: string, b: string): number {
  const distance = editDistance(a.slice(0, 64), b.slice(0, 64));
  return b.includes(a) || a.includes(b) ? Math.min(distance, 1) : distance;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  const cell = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const change = cell(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? cell(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      rows[i]?.push(Math.min(change, cell(i - 1, j) + 1, cell(i, j - 1) + 1, swap));
    }
  }
  return cell(a.length, b.length);
}
