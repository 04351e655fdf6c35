import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lookUpAlias, parseSshConfig } from "../src/config/ssh-config.ts";
import { parseDurationMs, parseSizeBytes } from "../src/config/units.ts";
import { loadConfig, parseHost, policyVersion } from "../src/config.ts";
import { Fault } from "../src/core/result.ts";

interface Files {
  [path: string]: string;
}

function load(yaml: string | null, env: Record<string, string> = {}, more: Files = {}) {
  const files: Files = { ...more, ...(yaml === null ? {} : { "./room137.yaml": yaml }) };
  return loadConfig({ env: { HOME: "/home/me", USER: "me", ...env }, readFile: (path) => files[path] ?? null });
}

function faultOf(work: () => unknown): Fault {
  try {
    work();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const problem = (yaml: string) => faultOf(() => load(yaml)).message;

describe("the config file", () => {
  it("means no hosts and the contract's defaults when there is none", () => {
    const config = load(null);
    expect(config).toMatchObject({
      path: null,
      hosts: [],
      slack: { mode: "local-room" },
      database: { kind: "sqlite", path: "./data/room137.db" },
      listen: { port: 1370, address: "127.0.0.1" },
      logLevel: "info",
      approvals: {
        approvers: [],
        quorum: 1,
        allowSelfApproval: false,
        expiresAfterMs: 1_800_000,
        requireReason: false,
      },
      policy: { maxMemoryBytes: null, maxHostMemoryPercent: 80, protectedContainers: [] },
      notices: [],
    });
  });

  it("knows a host without a key by ~/.ssh/known_hosts, where there is one", () => {
    const yaml = "hosts:\n  - { name: a, address: a.example, user: me }\n";
    const known = { "/home/me/.ssh/known_hosts": "a.example ssh-ed25519 AAAA\n" };
    expect(load(yaml).hosts[0]).toMatchObject({ hostKey: null, knownHostsFile: null });
    expect(load(yaml, {}, known).hosts[0]).toMatchObject({ knownHostsFile: "/home/me/.ssh/known_hosts" });
    const own = yaml.replace("user: me", `user: me, hostKey: "SHA256:${"a".repeat(43)}"`);
    expect(load(own, {}, known).hosts[0]).toMatchObject({ knownHostsFile: null });
  });

  it("is a fault when it was named and is not there", () => {
    const fault = faultOf(() => load(null, { ROOM137_CONFIG: "/etc/nope.yaml" }));
    expect(fault.code).toBe("config-invalid");
    expect(fault.message).toContain("/etc/nope.yaml");
  });

  it("loads the example that is shipped, whole", () => {
    const config = load(readFileSync("manifests/room137.example.yaml", "utf8"));
    expect(config.hosts.map((host) => host.name)).toEqual(["prod-1", "prod-2", "local"]);
    expect(config.hosts[0]).toMatchObject({
      local: false,
      remediateUser: "room137-act",
      dockerSocket: "/run/room137/docker-read.sock",
      remediateDockerSocket: "/run/room137/docker-act.sock",
    });
    expect(config.hosts[1]).toMatchObject({ hostKey: null, knownHostsFile: "/etc/room137/known_hosts", port: 22 });
    expect(config.policy.maxMemoryBytes).toBe(8 * 1_024 ** 3);
    expect(config.approvals.quorumByRisk).toEqual({ low: 1, medium: 1, high: 2 });
    expect(config.approvals.rules[1]).toMatchObject({ deny: true, containers: ["*"], hosts: {} });
    expect(config.services["web"]?.probes).toEqual([
      { path: "/healthz", expect: 200 },
      { path: "/items", expect: 200 },
    ]);
  });

  it.each([
    [
      "a mistyped key",
      "hosts:\n  - name: a\n    adress: b\n",
      './room137.yaml:3:5: unknown key "hosts[0].adress"; did you mean "address"?',
    ],
    [
      "a mistyped section",
      "polcy:\n  maxMemory: 8g\n",
      './room137.yaml:1:1: unknown key "polcy"; did you mean "policy"?',
    ],
    [
      "a key of a service",
      "services:\n  web:\n    dependOn: [db]\n",
      './room137.yaml:3:5: unknown key "services.web.dependOn"; did you mean "dependsOn"?',
    ],
    [
      "a key inside a default",
      "approvals:\n  breakGlass: { enabeld: true }\n",
      './room137.yaml:2:17: unknown key "approvals.breakGlass.enabeld"; did you mean "enabled"?',
    ],
    [
      "a key near nothing",
      "policy: { colour: red }\n",
      "known here: maxMemory, maxHostMemoryPercent, protectedContainers",
    ],
    [
      "a text for a number",
      "hosts:\n  - name: a\n    address: b\n    port: twenty\n",
      './room137.yaml:4:5: "hosts[0].port" must be a number',
    ],
    [
      "a value for a list",
      "approvals:\n  approvers: U0AAA\n",
      './room137.yaml:2:3: "approvals.approvers" must be a list',
    ],
    [
      "a wrong choice",
      "hosts:\n  - { name: a, local: true, kernelLog: syslog }\n",
      '"hosts[0].kernelLog" must be one of auto, dmesg',
    ],
    ["a wrong duration", "approvals: { expiresAfter: soon }\n", "must be a duration like 30m"],
    ["a wrong size", "policy: { maxMemory: lots }\n", "must be a size like 8g or 512m"],
    [
      "a regular expression that does not compile",
      'redaction: { patterns: ["("] }\n',
      '"redaction.patterns[0]" is not a regular expression',
    ],
    [
      "a regular expression that can hang",
      'redaction: { patterns: ["(a+)+$"] }\n',
      "repeats a group that itself repeats",
    ],
    ["a host without an address", "hosts:\n  - name: a\n", './room137.yaml:2:5: "name" of host a needs an `address`'],
    [
      "an ssh key for this machine",
      "hosts:\n  - { name: a, local: true, user: x }\n",
      "no meaning together with `local: true`",
    ],
    [
      "a host key of no known form",
      'hosts:\n  - { name: a, address: b, hostKey: "MD5:aa" }\n',
      "must be a fingerprint (SHA256:",
    ],
    [
      "the same name twice",
      "hosts:\n  - { name: a, local: true }\n  - { name: a, local: true }\n",
      './room137.yaml:3:7: there is already a host called "a"',
    ],
    [
      "a service on no host",
      "hosts: [{ name: prod-1, local: true }]\nservices: { web: { hosts: [prod1] } }\n",
      'names the host "prod1", which is not configured; did you mean "prod-1"?',
    ],
    ["a channel on no host", "channels: { C0123ABC: { hosts: [x] } }\n", 'channels.C0123ABC names the host "x"'],
    ["a key given twice", "policy: {}\npolicy: {}\n", "./room137.yaml:2:1: Map keys must be unique"],
    ["text that is no YAML", "hosts: [\n", "./room137.yaml:"],
    ["a list instead of the file", "- a\n", "the file must be a mapping"],
    [
      "a shell in a path",
      'hosts: [{ name: a, local: true, dockerSocket: "/tmp/$(id)" }]\n',
      "must be an absolute path",
    ],
  ])("refuses %s and says where", (_what, yaml, expected) => {
    expect(problem(yaml)).toContain(expected);
  });

  it("tells every problem at once, in the order of the file", () => {
    const lines = problem("polcy: {}\nhosts:\n  - { name: a, adress: b }\napprovals: { quorum: 0 }\n").split("\n");
    expect(lines.map((line) => line.split(":").slice(1, 2).join())).toEqual(["1", "3", "4"]);
  });

  it("never answers a text with anything but a config or its own fault", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        try {
          load(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("refuses a file of aliases that would grow without end", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${["b", "c", "d", "e"].map((key, index) => `${key}: &${key} [${Array(9).fill(`*${"abcd"[index]}`).join(",")}]`).join("\n")}\n`;
    expect(faultOf(() => load(bomb)).code).toBe("config-invalid");
  });
});

describe("the environment", () => {
  it.each([
    [
      { SLACK_BOT_TOKEN: "xoxb-1", SLACK_APP_TOKEN: "xapp-1" },
      { mode: "socket", apiUrl: null },
    ],
    [{ SLACK_BOT_TOKEN: "xoxb-1", SLACK_SIGNING_SECRET: "s" }, { mode: "http" }],
    [
      { SLACK_BOT_TOKEN: "xoxb-1", SLACK_APP_TOKEN: "xapp-1", SLACK_API_URL: "http://127.0.0.1:9/api" },
      { mode: "socket", apiUrl: "http://127.0.0.1:9/api/" },
    ],
    [
      { SLACK_BOT_TOKEN: "xoxb-1", SLACK_APP_TOKEN: "xapp-1", SLACK_API_URL: "https://slack.com/api/" },
      { mode: "socket", apiUrl: null },
    ],
    [{ SLACK_BOT_TOKEN: "  ", SLACK_APP_TOKEN: "" }, { mode: "local-room" }],
  ])("%j is a way to reach Slack", (env, expected) => {
    expect(load(null, env as Record<string, string>).slack).toMatchObject(expected);
  });

  it.each([
    [{ SLACK_BOT_TOKEN: "xoxb-1" }, "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET"],
    [{ SLACK_APP_TOKEN: "xapp-1" }, "SLACK_BOT_TOKEN is missing"],
    [{ SLACK_API_URL: "https://slack.com/api/" }, null],
    [{ SLACK_BOT_TOKEN: "xapp-1", SLACK_APP_TOKEN: "xapp-1" }, "holds an app-level token"],
    [
      { SLACK_BOT_TOKEN: "xoxb-1", SLACK_APP_TOKEN: "xapp-1", SLACK_API_URL: "https://evil.example/" },
      "is not the base of a Web API",
    ],
    [{ PORT: "80a" }, "PORT"],
    [{ LOG_LEVEL: "loud" }, "LOG_LEVEL"],
    [{ ROOM137_DATABASE_URL: "mysql://x" }, "neither a file nor a Postgres address"],
  ])("%j is told to be wrong where it is", (env, expected) => {
    const work = () => load(null, env as unknown as Record<string, string>);
    if (expected === null) expect(work().slack.mode).toBe("local-room");
    else expect(faultOf(work).message).toContain(expected);
  });

  it("says when the token goes anywhere but to Slack, and when it goes in clear text", () => {
    const env = { SLACK_BOT_TOKEN: "xoxb-1", SLACK_APP_TOKEN: "xapp-1" };
    expect(load(null, { ...env, SLACK_API_URL: "https://proxy.example/slack/api/" }).notices[0]).toMatch(
      /not Slack's own API \(SLACK_API_URL\)$/,
    );
    expect(load(null, { ...env, SLACK_API_URL: "http://proxy.example/api/" }).notices[0]).toMatch(/in clear text$/);
  });

  it("takes this machine's socket from DOCKER_HOST, unless the file names one", () => {
    const env = { DOCKER_HOST: "unix:///run/user/1000/docker.sock" };
    expect(load("hosts: [{ name: l, local: true }]", env).hosts[0]?.dockerSocket).toBe("/run/user/1000/docker.sock");
    expect(load("hosts: [{ name: l, local: true, dockerSocket: /x.sock }]", env).hosts[0]?.dockerSocket).toBe(
      "/x.sock",
    );
    expect(load("hosts: [{ name: l, local: true }]").hosts[0]?.dockerSocket).toBe("/var/run/docker.sock");
  });
});

describe("an alias of ~/.ssh/config", () => {
  const ssh =
    "Host prod* !prod-9\n  HostName=10.1.2.3\n  Port 2222\n  User deploy\n  IdentityFile ~/.ssh/prod\nHost jump\n  ProxyJump gate\nHost *\n  User fallback\n  Port 2200\n";
  const files = { "/home/me/.ssh/config": ssh };

  it("gives address, port, user and key; the first value wins", () => {
    expect(load("hosts: [{ name: a, address: prod-1 }]", {}, files).hosts[0]).toMatchObject({
      address: "10.1.2.3",
      alias: "prod-1",
      port: 2222,
      user: "deploy",
      identityFile: "/home/me/.ssh/prod",
      agentSocket: null,
    });
  });

  it("gives way to what the config file says", () => {
    expect(load("hosts: [{ name: a, address: prod-1, port: 22, user: me }]", {}, files).hosts[0]).toMatchObject({
      port: 22,
      user: "me",
    });
  });

  it("does not match a negated name, and falls back on the agent without a key", () => {
    expect(load("hosts: [{ name: a, address: prod-9 }]", { SSH_AUTH_SOCK: "/agent" }, files).hosts[0]).toMatchObject({
      address: "prod-9",
      alias: null,
      user: "fallback",
      identityFile: null,
      agentSocket: "/agent",
    });
  });

  it("is refused where it needs a jump host", () => {
    expect(faultOf(() => load("hosts: [{ name: a, address: jump }]", {}, files)).message).toContain(
      "uses ProxyJump, which is not supported",
    );
  });

  it("reads any text without failing", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        (text, name) => lookUpAlias(parseSshConfig(text), name).proxy !== undefined,
      ),
    );
  });
});

describe("a host given by a form", () => {
  const world = { env: { HOME: "/h", USER: "u" }, readFile: () => null };
  it("is judged as the file is", () => {
    expect(parseHost({ name: "a", address: "b", identityFile: "~/k" }, world)).toMatchObject({
      identityFile: "/h/k",
      user: "u",
    });
    expect(parseHost({ name: "a b", address: "b" }, world)).toEqual(['"name" must be letters, digits and _ . -']);
    expect(parseHost({ name: "a", adress: "b" }, world)).toEqual(['unknown key "adress"; did you mean "address"?']);
  });
});

describe("the version of the policy", () => {
  it("changes with the policy and the approvals and with nothing else", () => {
    const first = policyVersion(load("policy: { maxMemory: 8g }"));
    expect(policyVersion(load("policy: { maxMemory: 8192m }\nhosts: [{ name: a, local: true }]"))).toBe(first);
    expect(policyVersion(load("policy: { maxMemory: 9g }"))).not.toBe(first);
    expect(policyVersion(load("policy: { maxMemory: 8g }\napprovals: { quorum: 2 }"))).not.toBe(first);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("units", () => {
  it.each([
    ["30m", 1_800_000],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    ["500ms", 500],
    ["30", null],
    ["m", null],
    ["-5m", null],
  ])("%s lasts %s ms", (text, ms) => expect(parseDurationMs(text)).toBe(ms));
  it.each([
    ["8g", 8 * 1_024 ** 3],
    ["512MB", 512 * 1_024 ** 2],
    ["1GiB", 1_024 ** 3],
    ["1.5g", 1.5 * 1_024 ** 3],
    ["1073741824", 1_024 ** 3],
    ["100b", 100],
    ["g", null],
    ["8x", null],
    ["9e9", null],
  ])("%s is %s bytes", (text, bytes) => expect(parseSizeBytes(text)).toBe(bytes));
});
