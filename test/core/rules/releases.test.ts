import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { stem } from "../../../src/core/replicas.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const at = (secondsAgo: number) => askedAtMs - secondsAgo * 1_000;
const oldId = `sha256:${"0".repeat(64)}`;
const newId = `sha256:${"2".repeat(64)}`;

function ask(...hosts: SceneHost[]) {
  return diagnose(
    questionAbout(
      "web",
      hosts.map((host) => host.name ?? "h1"),
    ),
    readingsOf(...hosts),
  ).diagnosis;
}

/** Fails by itself on a path: its own exception, no peer named. */
const failing: SceneContainer = {
  name: "web",
  inspect: { image: "shop:2", imageId: newId, createdAtMs: at(120), startedAtMs: at(119) },
  logs: ["Traceback (most recent call last):", "KeyError: 'cents'", '10.0.0.9 - - "GET /items HTTP/1.1" 500 5'],
  probes: [
    { path: "/healthz", httpStatus: 200 },
    { path: "/items", httpStatus: 500 },
  ],
};
const removed = (image: string) => ({
  name: "web",
  actorId: idOf("web before"),
  action: "destroy",
  atMs: at(125),
  attributes: { image, name: "web" },
});
const tagged = {
  type: "image",
  name: "shop:2",
  actorId: newId,
  action: "tag",
  atMs: at(300),
  attributes: { name: "shop:2" },
};

describe("a service that fails by itself since it was recreated", () => {
  it("has a bad release when its image has another name", () => {
    expect(ask({ containers: [failing], events: [removed("shop:1")] }).rootCause).toMatchObject({
      cause: "bad-release-500",
      container: "web",
    });
  });

  it("has a new image under the same tag when that tag was moved", () => {
    expect(ask({ containers: [failing], events: [tagged, removed("shop:2")] }).rootCause?.cause).toBe(
      "same-tag-new-image",
    );
  });

  it("is not its release's victim when nothing tells that the image changed", () => {
    const told = ask({ containers: [failing], events: [removed("shop:2")] });
    expect(told.rootCause?.cause ?? "none").not.toMatch(/release|tag/);
  });

  it("is not its release's victim when its log blames a peer", () => {
    const blaming = { ...failing, logs: ["dial tcp 172.30.0.9:5432: connect: connection refused"] };
    const told = ask({ containers: [blaming], events: [removed("shop:1")] });
    expect(told.rootCause?.cause ?? "none").not.toMatch(/release|tag/);
  });

  it("is half rolled out when a replica with the image before works", () => {
    const labels = { "com.docker.compose.project": "shop", "com.docker.compose.service": "web" };
    const one: SceneContainer = {
      name: "shop-web-1",
      inspect: { image: "shop:1", imageId: oldId, labels },
      logs: ['10.0.0.9 - - "GET /items HTTP/1.1" 200 5'],
    };
    const two: SceneContainer = { ...failing, name: "shop-web-2", inspect: { ...failing.inspect, labels } };
    expect(ask({ containers: [one, two] }).rootCause).toMatchObject({
      cause: "half-rolled-out",
      container: "shop-web-2",
    });
  });

  it("drifted when the same tag is another image on another host", () => {
    const there: SceneContainer = {
      name: "web",
      inspect: { image: "shop:2", imageId: oldId },
      logs: ['10.0.0.9 - - "GET /items HTTP/1.1" 200 5'],
      probes: [{ path: "/items", httpStatus: 200 }],
    };
    const told = ask({ name: "h1", containers: [failing] }, { name: "h2", containers: [there] });
    expect(told.rootCause).toMatchObject({ cause: "image-drift-across-hosts", host: "h1", container: "web" });
  });
});

describe("what an image holds", () => {
  const image = (more: object) => ({
    "docker-image": {
      id: newId,
      tags: [],
      digests: [],
      createdAtMs: at(600),
      architecture: "amd64",
      entrypoint: [],
      command: ["/usr/bin/app", "serve"],
      env: [],
      exposedPorts: [],
      volumes: [],
      user: "",
      ...more,
    },
  });
  const dead = (logs: string[], more: Partial<SceneContainer["inspect"]> = {}): SceneContainer => ({
    name: "web",
    inspect: { status: "exited", exitCode: 1, startedAtMs: at(61), finishedAtMs: at(60), ...more },
    logs,
  });

  it.each([
    ["ModuleNotFoundError: No module named 'stripe'", "stripe"],
    ["Error: Cannot find module 'express'", "express"],
    [
      "error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file or directory",
      "libpq.so.5",
    ],
  ])("lacks what %s names", (line, name) => {
    const { rootCause } = ask({ containers: [dead([line])] });
    expect(rootCause).toMatchObject({ cause: "module-missing", container: "web" });
    expect(rootCause?.summary).toContain(name);
  });

  it("lacks nothing when the program goes on without the module", () => {
    const running: SceneContainer = {
      name: "web",
      logs: ["ImportError: No module named 'ujson', falling back to json"],
      probes: [{ path: "/", httpStatus: 200 }],
    };
    expect(ask({ containers: [running] }).rootCause).toBeNull();
  });

  it("is replaced by a command that is not there, which is no fault of its own program", () => {
    const wrong = {
      ...dead(["python3: can't open file '/app/main.py': [Errno 2] No such file or directory"], {
        command: ["python3", "/app/main.py"],
        exitCode: 2,
      }),
      other: image({}),
    };
    expect(ask({ containers: [wrong] }).rootCause?.cause).toBe("entrypoint-overridden");
    const base = { ...wrong, other: image({ command: ["bash"] }) };
    expect(ask({ containers: [base] }).rootCause?.cause).not.toBe("entrypoint-overridden");
  });

  it("is hidden by a volume that is older than it", () => {
    const mounts = [{ type: "volume", name: "code", source: "/v", destination: "/app", readWrite: true }];
    const volume = (createdAtMs: number) => ({
      "docker-volumes": [{ name: "code", driver: "local", mountpoint: "/v", createdAtMs, labels: {}, options: {} }],
    });
    const hidden = dead(["AttributeError: module 'helper' has no attribute 'total'"], { workingDir: "/app", mounts });
    const scene = (createdAtMs: number) => {
      const readings = readingsOf({ containers: [{ ...hidden, other: image({}) }] });
      const host = readings.find((reading) => reading.source === "host-facts");
      const volumes = {
        ...host,
        source: "docker-volumes",
        outcome: { status: "ok", value: volume(createdAtMs)["docker-volumes"] },
      } as (typeof readings)[number];
      return diagnose(questionAbout("web"), [...readings, volumes]).diagnosis.rootCause?.cause;
    };
    expect(scene(at(90_000))).toBe("volume-shadows-image");
    expect(scene(at(10))).not.toBe("volume-shadows-image");
  });

  it("has no assets when several are answered with 404 and none is served", () => {
    const line = (path: string, status: number) => `10.0.0.9 - - "GET ${path} HTTP/1.1" ${status} 5`;
    const bare = (logs: string[]): SceneContainer => ({ name: "web", logs, probes: [{ path: "/", httpStatus: 200 }] });
    expect(
      ask({ containers: [bare([line("/static/app.css", 404), line("/static/main.js", 404)])] }).rootCause?.cause,
    ).toBe("static-missing");
    expect(
      ask({ containers: [bare([line("/static/app.css", 200), line("/old/a.js", 404), line("/old/b.js", 404)])] })
        .rootCause,
    ).toBeNull();
  });
});

describe("an older container of the same kind", () => {
  const old: SceneContainer = {
    name: "web-old",
    inspect: {
      createdAtMs: at(90_000),
      portBindings: [{ containerPort: 8000, protocol: "tcp", hostAddress: "", hostPort: 80 }],
    },
  };
  const fresh: SceneContainer = {
    name: "web",
    inspect: { createdAtMs: at(600), exposedPorts: [{ port: 8000, protocol: "tcp" }] },
    probes: [{ path: "/", httpStatus: 200 }],
  };

  it("still owns the port that users come to", () => {
    expect(ask({ containers: [fresh, old] }).rootCause).toMatchObject({
      cause: "old-container-serves",
      container: "web-old",
    });
  });

  it("is innocent when the new one publishes for itself", () => {
    const published = {
      ...fresh,
      inspect: {
        ...fresh.inspect,
        portBindings: [{ containerPort: 8000, protocol: "tcp", hostAddress: "", hostPort: 81 }],
      },
    };
    expect(ask({ containers: [published, old] }).rootCause).toBeNull();
  });

  it.each([
    ["web-2", "web"],
    ["shop_old", "shop"],
    ["api-v3", "api"],
    ["web1", "web"],
    ["orders-db", "orders-db"],
  ])("%s is of the kind %s", (name, kind) => {
    expect(stem(name)).toBe(kind);
  });
});

describe("the same statement once per row", () => {
  const statements = (different: number) =>
    Array.from({ length: 40 }, (_, row) => `LOG:  statement: SELECT name FROM items WHERE id = ${row % different}`);
  const web: SceneContainer = {
    name: "web",
    inspect: { env: [{ name: "DATABASE_URL", value: "postgres://app@db:5432/app", digest: "x" }] },
  };
  const db = (different: number): SceneContainer => ({
    name: "db",
    inspect: { image: "postgres:15" },
    logs: statements(different),
  });

  it("is its caller's doing", () => {
    expect(ask({ containers: [web, db(40)] }).rootCause).toMatchObject({ cause: "n-plus-one", container: "web" });
  });

  it("is nothing when the value is always the same", () => {
    expect(ask({ containers: [web, db(1)] }).rootCause).toBeNull();
  });
});
