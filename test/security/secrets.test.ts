import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { SshHostConfig } from "../../src/config.ts";
import type { ApprovedPlan } from "../../src/core/approve.ts";
import { createHostPerformer } from "../../src/hosts/perform.ts";

describe("secrets", () => {
  it("never leave by the log", async () => {
    const secret = "canary-5e1f";
    const script = `
      import { createLog } from "./src/telemetry.ts";
      const log = createLog("info");
      const secret = ${JSON.stringify(secret)};
      log.info({ token: secret, slack: { token: secret }, database: { password: secret }, password: secret }, "fields");
      const headers = { authorization: "Bearer " + secret };
      const err = Object.assign(new Error("refused"), { config: { headers }, request: { headers } });
      log.error({ err, headers, answer: { headers } }, "an error of a client");
    `;
    const { stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(
      stderr
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).msg),
    ).toEqual(["fields", "an error of a client"]);
    expect(stderr).not.toContain(secret);
  });

  it("of an acting key are read for a step and for nothing else", async () => {
    const folder = mkdtempSync(join(tmpdir(), "room137-key-"));
    const key = join(folder, "act");
    const config: SshHostConfig = {
      name: "prod-1",
      local: false,
      address: "127.0.0.1",
      port: 1,
      user: "reader",
      identityFile: join(folder, "read"),
      remediateIdentityFile: key,
      remediateUser: "actor",
      alias: null,
      hostKey: "SHA256:Zx0kPz5kPz5kPz5kPz5kPz5kPz5kPz5kPz5kPz5kPz4",
      knownHostsFile: null,
      agentSocket: null,
      dockerSocket: "/var/run/docker.sock",
      remediateDockerSocket: null,
      kernelLog: "none",
      labels: {},
    };
    // Made while there is no such file: whoever opened it now would fail.
    const performer = createHostPerformer({ hostConfig: () => config, clock: { nowMs: () => 0 } });
    const action = { action: "start", host: "prod-1", container: "db", containerId: "a".repeat(64) } as const;
    const plan = { incidentId: "i", hash: "h", approvers: [], actions: [action] } as unknown as ApprovedPlan;
    await expect(performer.perform(plan, 0)).rejects.toMatchObject({ message: expect.stringContaining(key) });
    await expect(performer.perform(plan, 1)).rejects.toMatchObject({ message: expect.not.stringContaining(key) });
    writeFileSync(key, "no key");
    await expect(performer.perform(plan, 0)).rejects.toMatchObject({ message: expect.not.stringContaining("no key") });
    rmSync(folder, { recursive: true });
  });
});
