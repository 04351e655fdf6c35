import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { ContainerInspect } from "../../../src/core/readings.ts";
import { askedAtMs, questionAbout, readingsOf, type SceneContainer } from "../scene.ts";

const labels = (project: string, service: string) => ({
  "com.docker.compose.project": project,
  "com.docker.compose.service": service,
});

function bearer(name: string, at: number, more: Partial<ContainerInspect> = {}): SceneContainer {
  const networks = [
    { name: "app", networkId: "n".repeat(64), address: `172.30.0.${at}`, gateway: null, aliases: ["backend"] },
  ];
  return {
    name,
    inspect: { image: `registry/${name}:1`, networks, createdAtMs: askedAtMs - 1_000_000 + at * 1_000, ...more },
  };
}

const web: SceneContainer = {
  name: "web",
  inspect: { env: [{ name: "BACKEND_URL", value: "http://backend:8080", digest: "x" }] },
  logs: ['"GET /call HTTP/1.1" 500 -'],
  probes: [{ path: "/call", httpStatus: 500 }],
};

const rootOf = (...containers: SceneContainer[]) =>
  diagnose(questionAbout("web"), readingsOf({ containers: [web, ...containers] })).diagnosis.rootCause;

it("accuses the newer of two strangers that own one name", () => {
  expect(rootOf(bearer("prices", 11), bearer("admin", 12))).toMatchObject({
    cause: "alias-collision",
    container: "admin",
  });
});

it("accuses the newer compose project, and within one project the left-over", () => {
  const ours = bearer("shop-backend-1", 11, { labels: labels("shop", "backend") });
  expect(rootOf(ours, bearer("crm-backend-1", 12, { labels: labels("crm", "backend") }))).toMatchObject({
    cause: "compose-alias-collision",
    container: "crm-backend-1",
  });
  expect(rootOf(ours, bearer("shop-backend2-1", 12, { labels: labels("shop", "backend2") }))).toMatchObject({
    cause: "orphan-holds-alias",
    container: "shop-backend-1",
  });
});

it("leaves replicas of one service alone, and two releases of one image", () => {
  const replica = (name: string, at: number) => bearer(name, at, { labels: labels("shop", "backend") });
  expect(rootOf(replica("shop-backend-1", 11), replica("shop-backend-2", 12))?.cause ?? "none").not.toMatch(/alias/);
  const release = (name: string, at: number, tag: string) => bearer(name, at, { image: `registry/backend:${tag}` });
  expect(rootOf(release("blue", 11, "1.4"), release("green", 12, "1.5"))?.cause ?? "none").not.toMatch(/alias/);
});

it("stays silent when one of the two has ended", () => {
  expect(
    rootOf(bearer("prices", 11), bearer("admin", 12, { status: "exited", running: false }))?.cause ?? "none",
  ).not.toMatch(/alias/);
});

it("takes another build of the image that brings a setting along for a replica, and one with other settings for a stranger", () => {
  const env = (...names: string[]) => names.map((name) => ({ name, value: "1", digest: "x" }));
  const ours = bearer("prices-a", 11, {
    image: "shop/prices:7",
    imageId: `sha256:${"a".repeat(64)}`,
    env: env("PORT"),
  });
  const next = { image: "shop/prices:8", imageId: `sha256:${"b".repeat(64)}` };
  const cause = (more: Partial<ContainerInspect>) => rootOf(ours, bearer("prices-b", 12, { ...next, ...more }))?.cause;
  expect(cause({ env: env("PORT", "LABEL") }) ?? "none").not.toBe("alias-collision");
  expect(cause({ env: env("LABEL") })).toBe("alias-collision");
});
