import { composeProject, composeService } from "./resolve.ts";
import type { ContainerView, World } from "./world.ts";

/**
 * Containers that do the same work under another name or on another host: the same compose service, an alias they share,
 * or names that differ only by a number, a version or a colour.
 */
export function replicasOf(world: Pick<World, "containers">, view: ContainerView): ContainerView[] {
  return world.containers.filter((other) => other !== view && isReplica(view, other));
}

function isReplica(a: ContainerView, b: ContainerView): boolean {
  const service = composeService(a);
  if (service !== null && service === composeService(b) && composeProject(a) === composeProject(b)) return true;
  if (a.host !== b.host) return a.name === b.name || stem(a.name) === stem(b.name);
  if (stem(a.name) === stem(b.name)) return true;
  const aliases = (view: ContainerView) =>
    view.inspect?.value.networks.flatMap((network) => network.aliases.map((alias) => `${network.name} ${alias}`)) ?? [];
  const ours = aliases(a);
  return repository(a) !== null && repository(a) === repository(b) && aliases(b).some((alias) => ours.includes(alias));
}

/** `app` of `registry/app:2`; null for a bare id. */
export function repository(view: ContainerView): string | null {
  const image = view.inspect?.value.image ?? view.summary?.value.image ?? "";
  if (image === "" || image.startsWith("sha256:") || /^[0-9a-f]{12,64}$/.test(image)) return null;
  return image.replace(/@sha256:[0-9a-f]+$/, "").replace(/:[^:/]+$/, "");
}

const marks =
  /^(\d{1,3}|v\d{1,3}|[a-d]|old|new|prev|previous|next|backup|bak|blue|green|canary|stable|primary|replica|legacy)$/;

/** `shop` of `shop-2`, `shop_old`, `shop-v2`, `old-shop`, `shop2`. */
export function stem(name: string): string {
  const parts = name
    .toLowerCase()
    .replace(/([a-z]{2})(\d{1,2})$/, "$1-$2")
    .split(/[-_.]/);
  const kept = parts.filter((part) => !marks.test(part));
  return (kept.length === 0 ? parts : kept).join("-");
}
