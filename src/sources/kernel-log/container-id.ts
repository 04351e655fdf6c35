/**
 * The innermost container id in a cgroup path, or null.
 *
 * Knows the cgroupfs form (`/docker/<id>`, `/kubepods/…/<id>`, `/k8s.io/<id>`), the systemd scopes of Docker,
 * containerd, CRI-O and podman (`docker-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>.scope`,
 * `libpod-<id>.scope`) and runc's unconverted systemd form (`system.slice:docker:<id>`). The path may go on below the
 * container (`…/init`, `…/container`) and may hold several containers, as with Docker in LXC or in Docker.
 */
export function containerIdOf(cgroup: string | null): string | null {
  if (cgroup === null) return null;
  const segments = cgroup.split(/[/:]/);
  for (let i = segments.length - 1; i >= 0; i--) {
    const segment = segments[i] as string;
    const id = SCOPE.exec(segment)?.[1] ?? bareId(segment, segments[i - 1]);
    if (id !== null) return id;
  }
  return null;
}

/** A monitor (`libpod-conmon-<id>.scope`) runs outside its container, so it does not match. */
const SCOPE =
  /^(?:docker|containerd|cri-containerd|nerdctl|crio|cri-o|libpod|libpod-payload|podman)[-_]([0-9a-f]{12,64})(?:\.scope)?$/;
const BARE = /^[0-9a-f]{12,64}$/;

/** A short id that is all digits, or an ECS task id, is more likely something else. */
function bareId(segment: string, parent: string | undefined): string | null {
  if (!BARE.test(segment)) return null;
  if (segment.length === 64) return segment;
  return parent === "ecs" || /^\d+$/.test(segment) ? null : segment;
}
