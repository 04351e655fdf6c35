import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { questionAbout, readingsOf, type SceneContainer } from "../scene.ts";

const failedStart = (error: string): SceneContainer => ({
  name: "web",
  inspect: { status: "created", exitCode: 128, error, finishedAtMs: null, startedAtMs: null },
});
const allocated =
  "driver failed programming external connectivity on endpoint web (1f): Bind for 0.0.0.0:8080 failed: port is already allocated";
const rootOf = (...containers: SceneContainer[]) =>
  diagnose(questionAbout("web"), readingsOf({ containers })).diagnosis.rootCause;

it("accuses the running container that publishes the port", () => {
  const binding = { containerPort: 80, protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8080 };
  const holder: SceneContainer = { name: "squatter", inspect: { portBindings: [binding] } };
  const ended: SceneContainer = {
    name: "ended",
    inspect: { status: "exited", running: false, portBindings: [binding] },
  };
  expect(rootOf(failedStart(allocated), ended, holder)).toMatchObject({
    cause: "port-already-allocated",
    container: "squatter",
  });
});

it("accuses nobody in Docker when no container has it", () => {
  const error = "Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use";
  expect(rootOf(failedStart(error))).toMatchObject({ cause: "port-already-allocated", container: null });
});

it("tells an exhausted network from a taken port, and stays silent for another start error", () => {
  expect(rootOf(failedStart("no available IPv4 addresses on this network's address pools: app (1f)"))).toMatchObject({
    cause: "address-pool-exhausted",
    container: null,
  });
  expect(rootOf(failedStart('exec: "serve": executable file not found in $PATH'))?.cause ?? "none").not.toMatch(
    /port|pool/,
  );
});
