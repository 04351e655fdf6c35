import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { breakShop, type FaultName } from "./faults.ts";
import { type Lab, labDir, startLab } from "./lab.ts";
import { engineProcesses } from "./processes.ts";
import type { SshLogin } from "./sshd.ts";
import { clearShop, DB_PASSWORD, type ShopOptions, stageDecoys, stageWebAndDb } from "./stage.ts";
import { readState } from "./state.ts";
import { status, untilStatus } from "./web-probe.ts";

const runFile = promisify(execFile);
const CLI = join(import.meta.dirname, "cli.ts");

describe("a lab that is up", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab({ name: "smoke", engine: "private" });
  });
  afterAll(async () => {
    await lab?.stop();
  });
  afterEach(() => clearShop(lab));

  it("shows the founding incident, and raising the limit cures it with the data intact", async () => {
    const shop = await broken({}, "oom-kill");
    expect(await dbState()).toBe("exited 137 true 268435456");
    expect(await status(`${shop.webUrl}/healthz`)).toBe(200);
    expect(await status(`${shop.webUrl}/items`)).toBe(500);
    expect(await webLog()).toMatch(/psycopg2\.OperationalError: .* port 5432 failed: Connection refused/);
    expect(await webLog()).not.toContain(DB_PASSWORD);
    const kernel = (await runFile("dmesg")).stdout
      .split("\n")
      .filter((line) => line.includes(`task_memcg=/docker/${shop.dbId}`));
    expect(kernel.length).toBeGreaterThan(0);
    expect(kernel.at(-1)).toContain("constraint=CONSTRAINT_MEMCG");

    await lab.docker("update", "--memory", "384m", "--memory-swap", "384m", "db");
    await lab.docker("start", "db");
    await untilStatus(`${shop.webUrl}/items`, 200);
    const answer = (await (await fetch(`${shop.webUrl}/items`)).json()) as { items: number };
    expect(answer.items).toBe(4);
  });

  it.each(["always", "on-failure"])(
    "turns the same kill into a crash loop under --restart=%s",
    async (restartPolicy) => {
      await broken({ restartPolicy }, "oom-kill");
      expect(Number(await lab.docker("inspect", "--format", "{{.RestartCount}}", "db"))).toBeGreaterThanOrEqual(2);
    },
  );

  it.each<[FaultName, ShopOptions, string, string]>([
    ["kill", {}, "exited 137 false 268435456", "kill:9 die:137"],
    ["stop-past-grace", {}, "exited 137 false 268435456", "kill:15 kill:9 die:137 stop:"],
    ["stop-past-grace", { dbEntrypoint: "shell" }, "exited 137 false 268435456", "kill:15 kill:9 die:137 stop:"],
    ["stop", {}, "exited 0 false 268435456", "kill:15 die:0 stop:"],
    ["oom-kill", { dbAddress: "name", compose: true }, "exited 137 true 268435456", "oom: die:137"],
    ["break-web", {}, "running 0 false 268435456", ""],
  ])("%s with %o leaves db as Docker tells it apart", async (fault, options, state, events) => {
    const shop = await broken(options, fault);
    expect(await dbState()).toBe(state);
    expect(await dbEvents(shop.dbId)).toBe(events);
  });

  it.each<[NonNullable<ShopOptions["dbAddress"]>, RegExp]>([
    ["extra-host", /connection to server at "db" \(10\.[\d.]+\), port 5432 failed: Connection refused/],
    ["name", /could not translate host name "db" to address: Name or service not known/],
  ])("lets web find db by %s", async (dbAddress, words) => {
    await broken({ dbAddress }, "stop");
    expect(await webLog()).toMatch(words);
  });

  it("kills a session's process for memory while db runs on", async () => {
    const shop = await broken({}, "oom-kill-child");
    expect(await lab.docker("inspect", "--format", "{{.State.Status}} {{.RestartCount}}", "db")).toBe("running 0\n");
    expect(await dbEvents(shop.dbId)).toMatch(/^oom:( oom:)*$/);
    expect(await status(`${shop.webUrl}/items`)).toBe(200);
  });

  it("blames web's own exception when web is broken", async () => {
    await broken({}, "break-web");
    expect(await webLog()).toContain("KeyError: 'atlantis'");
    expect(await webLog()).not.toContain("OperationalError");
  });

  it("has decoys, and sshds that forward, do not forward, or let in somebody without rights", async () => {
    await stageWebAndDb(lab, {});
    await stageDecoys(lab);
    expect(await lab.docker("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", "web-old")).toBe(
      "137 false\n",
    );
    const version = ["docker", "-H", `unix://${lab.dockerSocket}`, "version", "--format", "{{.Server.Version}}"];
    expect((await ssh(lab.ssh, version)).stdout).toMatch(/^\d+\.\d+/);
    const narrow = await lab.startSshd({ forwarding: "none" });
    expect((await ssh(narrow, version)).stdout).toMatch(/^\d+\.\d+/);
    expect(narrow.hostKey).not.toBe(lab.ssh.hostKey);
    const powerless = await lab.startSshd({ user: "unprivileged" });
    expect((await ssh(powerless, ["id", "-un"])).stdout.trim()).toBe(powerless.user);
    await expect(ssh(powerless, version)).rejects.toThrow(/permission denied/);
    await expect(ssh({ ...lab.ssh, identityFile: lab.ssh.strangerIdentityFile }, version)).rejects.toThrow(
      /Permission denied/,
    );

    await lab.stopSshd(narrow);
    await expect(ssh(narrow, version)).rejects.toThrow(/refused/);
    const back = await lab.startSshd({ port: narrow.port });
    expect(back.hostKey).not.toBe(narrow.hostKey);
  });

  async function broken(options: ShopOptions, fault: FaultName) {
    const shop = await stageWebAndDb(lab, options);
    await breakShop(lab, fault, options);
    return shop;
  }

  async function dbState(): Promise<string> {
    const format = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.HostConfig.Memory}}";
    return (await lab.docker("inspect", "--format", format, "db")).trim();
  }

  /** What ended db, each event with its signal or exit code; consecutive equal oom events are one fault told twice. */
  async function dbEvents(id: string): Promise<string> {
    const filters = ["kill", "die", "stop", "oom"].flatMap((event) => ["--filter", `event=${event}`]);
    const format = "{{.Action}}:{{.Actor.Attributes.signal}}{{.Actor.Attributes.exitCode}}";
    const args = ["--since", "0", "--until", String(Date.now() / 1000), "--filter", `container=${id}`, ...filters];
    const lines = (await lab.docker("events", ...args, "--format", format))
      .trim()
      .replaceAll("<no value>", "")
      .split("\n");
    return lines.filter((line, n) => line !== lines[n - 1]).join(" ");
  }

  async function webLog(): Promise<string> {
    const { stdout, stderr } = await runFile("docker", ["-H", `unix://${lab.dockerSocket}`, "logs", "web"]);
    return stdout + stderr;
  }
});

describe("the end of a lab", () => {
  it("leaves nothing behind, whether stopped, told to end, or killed and started again", async () => {
    const name = "smoke-end";
    const args = [CLI, "up", "--name", name, "--private"];
    const told = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    const [first] = (await once(told.stdout, "data")) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ dir: labDir(name), ssh: { user: "root" } });
    const told0 = readState(labDir(name));
    await expect(startLab({ name })).rejects.toThrow(/already up/);
    told.kill("SIGTERM");
    await once(told, "exit");
    expectGone(name, told0?.subnet?.bridge);

    const killed = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    await once(killed.stdout, "data");
    const remains = readState(labDir(name));
    killed.kill("SIGKILL");
    await once(killed, "exit");
    expect(engineProcesses(labDir(name)).length).toBeGreaterThan(0);
    const next = await startLab({ name, engine: "private" });
    await next.run({ name: "left-running", command: ["sleep", "infinity"] });
    await Promise.all([next.stop(), next.stop()]);
    await next.stop();
    expectGone(name, remains?.subnet?.bridge);
  });

  it("refuses a name or a folder that no lab can have", async () => {
    await expect(startLab({ name: "../etc" })).rejects.toThrow(/no name for a lab/);
    await expect(startLab({ name: "x", dir: "relative" })).rejects.toThrow(/absolute path/);
    await expect(startLab({ name: "x", dir: `/tmp/${"x".repeat(80)}` })).rejects.toThrow(/absolute path/);
  });

  function expectGone(name: string, bridge: string | undefined) {
    const dir = labDir(name);
    expect(existsSync(dir)).toBe(false);
    expect(engineProcesses(dir)).toEqual([]);
    expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(`${dir}/`);
    expect(bridge).toMatch(/^r137lab/);
    expect(readdirSync("/sys/class/net")).not.toContain(bridge);
  }
});

function ssh(login: SshLogin, command: string[]) {
  const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "IdentitiesOnly=yes"];
  const args = [
    "-F",
    "none",
    ...options.flatMap((option) => ["-o", option]),
    "-i",
    login.identityFile,
    "-p",
    String(login.port),
  ];
  const quoted = command.map((word) => `'${word}'`).join(" ");
  return runFile("ssh", [...args, `${login.user}@${login.host}`, quoted], { timeout: 20_000 });
}
