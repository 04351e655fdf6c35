import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import { type ActionPolicy, propose } from "../../../src/core/propose.ts";
import type { ContainerInspect, DockerEvent } from "../../../src/core/readings.ts";
import { askedAtMs, idOf, questionAbout, readingsOf, type SceneHost } from "../scene.ts";

const policy: ActionPolicy = {
  maxMemoryBytes: null,
  maxHostMemoryPercent: 80,
  protectedContainers: [],
  policyVersion: "1",
};
const target = { host: "h1", container: "api", containerId: idOf("api") };
const at = (secondsAgo: number) => askedAtMs - secondsAgo * 1_000;

function proposed(scene: SceneHost) {
  const conclusion = diagnose(questionAbout("api"), readingsOf(scene));
  return { cause: conclusion.diagnosis.rootCause?.cause, plan: propose(conclusion, policy).plan };
}

/** Short runs that end the same way, over and over until just now; the policy starts it again each time. */
function looping(exitCode: number, name: string, restartCount = 41): SceneHost {
  const events: Partial<DockerEvent>[] = [12, 9, 6, 3].flatMap((ago) => [
    { name: "api", action: "start", atMs: at(ago + 1) },
    { name: "api", action: "die", atMs: at(ago), attributes: { exitCode: String(exitCode) } },
  ]);
  const inspect: Partial<ContainerInspect> = {
    status: "restarting",
    restarting: true,
    running: true,
    exitCode,
    restartCount,
    restartPolicy: { name, maximumRetryCount: 0 },
    finishedAtMs: at(3),
  };
  return { containers: [{ name: "api", inspect, logs: [] }], events };
}

/** One run that ended by itself a minute ago, and nothing started it again. */
function ended(exitCode: number, ranS: number, restartPolicy = { name: "no", maximumRetryCount: 0 }): SceneHost {
  const inspect: Partial<ContainerInspect> = {
    status: "exited",
    exitCode,
    startedAtMs: at(60 + ranS),
    finishedAtMs: at(60),
    restartPolicy,
  };
  return {
    containers: [{ name: "api", inspect, logs: ['INFO:     172.30.0.9:51234 - "GET /items HTTP/1.1" 200 OK'] }],
    events: [
      { name: "api", action: "start", atMs: at(60 + ranS) },
      { name: "api", action: "die", atMs: at(60), attributes: { exitCode: String(exitCode) } },
    ],
  };
}

describe("a loop that no start can end", () => {
  it.each(["always", "unless-stopped"])("is ended by a policy that leaves a clean end alone, under %s", (name) => {
    const { cause, plan } = proposed(looping(0, name));
    expect(cause).toBe("completed-exit-0");
    expect(plan?.steps.map(({ action }) => action)).toEqual([
      { action: "update-restart-policy", ...target, restartPolicy: "on-failure", maximumRetryCount: 5 },
    ]);
    expect(plan?.steps[0]).toMatchObject({
      title: "set the restart policy of api to on-failure:5",
      why: expect.stringMatching(new RegExp(`${name} starts it again each time, 41 times so far.*5 times at most`)),
    });
    expect(plan?.risks).toEqual([expect.stringContaining("api stays down once it has ended")]);
    expect(plan?.verification).toContain("api is not started again and again any more");
    expect(plan?.verification.join()).not.toContain("running and stays so");
    expect(plan?.composeNote?.lines).toEqual(["restart: on-failure:5"]);
  });

  it("can be taken back, with the warning that the loop begins again", () => {
    const { plan } = proposed(looping(0, "always"));
    expect(plan?.undo).toEqual([
      { action: "update-restart-policy", ...target, restartPolicy: "always", maximumRetryCount: 0 },
    ]);
    expect(plan?.undoWarning).toBe("Taking the restart policy back begins the restart loop again.");
  });

  it("is only ended while its policy is the one that was seen, whatever run it is at", () => {
    const { plan } = proposed(looping(0, "always"));
    expect(plan?.preconditions).toMatchObject([
      { containerId: idOf("api"), expect: { restartPolicy: "always", status: null, restartCount: null } },
    ]);
  });

  it("is left to a person where every start fails, because a failure may need its restarts", () => {
    expect(proposed(looping(78, "always", 5))).toEqual({ cause: "crash-loop-config", plan: null });
    expect(proposed(looping(78, "always"))).toEqual({ cause: "backoff-window", plan: null });
  });

  it("is not touched where its log says that a peer is missing", () => {
    const env = [{ name: "DATABASE_URL", value: "postgres://app@db:5432/app", digest: "x" }];
    const blaming = looping(0, "always");
    const [api] = blaming.containers;
    if (api === undefined) throw new Error("no api");
    api.logs = ['connection to server at "db" (172.30.0.3), port 5432 failed: Connection refused'];
    api.inspect = { ...api.inspect, env };
    blaming.containers.push({ name: "db" });
    expect(proposed(blaming).plan?.steps.some(({ action }) => action.container === "api") ?? false).toBe(false);
  });
});

describe("a policy for what ended and stayed down", () => {
  const policyOf = (scene: SceneHost) => {
    const { cause, plan } = proposed(scene);
    const action = plan?.steps.map((step) => step.action).find((step) => step.action === "update-restart-policy");
    return {
      cause,
      start: plan?.steps.some((step) => step.action.action === "start"),
      policy: action?.action === "update-restart-policy" ? [action.restartPolicy, action.maximumRetryCount] : null,
      risks: plan?.risks.join(" "),
    };
  };

  it("brings back what had served long, and says what becomes of it if it loops", () => {
    expect(policyOf(ended(1, 3_600))).toEqual({
      cause: "no-policy-after-crash",
      start: true,
      policy: ["unless-stopped", 0],
      risks: expect.stringContaining("at most once a minute"),
    });
    expect(policyOf(ended(0, 3_600))).toMatchObject({ cause: "completed-exit-0", policy: ["unless-stopped", 0] });
  });

  it("tries a bounded number of times what crashed soon, so that a crash loop ends", () => {
    expect(policyOf(ended(1, 4))).toEqual({
      cause: "no-policy-after-crash",
      start: true,
      policy: ["on-failure", 5],
      risks: expect.stringMatching(/After 5 more crashes api stays down\.$/),
    });
  });

  it("is not set for what comes to a clean end at its start: it would be started again for ever", () => {
    expect(policyOf(ended(0, 4))).toMatchObject({ cause: "completed-exit-0", start: true, policy: null });
    expect(policyOf(ended(0, 4, { name: "on-failure", maximumRetryCount: 3 }))).toMatchObject({
      cause: "on-failure-exit-0",
      start: true,
      policy: null,
    });
  });

  it("goes back to exactly what it was, with its number of retries", () => {
    const { plan } = proposed(ended(0, 3_600, { name: "on-failure", maximumRetryCount: 3 }));
    expect(plan?.undo).toMatchObject([{ restartPolicy: "on-failure", maximumRetryCount: 3 }]);
    expect(proposed(ended(1, 3_600)).plan?.undo).toMatchObject([{ restartPolicy: "no", maximumRetryCount: 0 }]);
  });
});
