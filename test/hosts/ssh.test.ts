import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerChannel } from "ssh2";
import ssh2 from "ssh2";
import { afterEach, describe, expect, it } from "vitest";
import { limits } from "../../src/core/limits.ts";
import { Fault } from "../../src/core/result.ts";
import { fingerprint } from "../../src/hosts/known-hosts.ts";
import type { HostLink } from "../../src/hosts/link.ts";
import { createSshLink } from "../../src/hosts/ssh.ts";
import type { SshTarget } from "../../src/hosts/ssh-connect.ts";
import { type FakeSshdOptions, keyPair, publicBlob, startFakeSshd } from "./fake-sshd.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function server(options: FakeSshdOptions = {}) {
  const sshd = await startFakeSshd(options);
  closing.push(sshd.stop);
  return sshd;
}

function link(target: SshTarget, nowMs: () => number = () => 0): HostLink {
  const made = createSshLink({ target, clock: { nowMs }, random: () => 1 });
  closing.push(made.close);
  return made;
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Fault)) throw new Error(`no fault: ${String(error)}`);
  return error;
}

const options = { maxBytes: 1_000, timeoutMs: 5_000 };
const publicLine = (privateKey: string) => {
  const blob = publicBlob(privateKey);
  return `${blob.toString("latin1", 4, 4 + blob.readUInt32BE(0))} ${blob.toString("base64")}`;
};

describe("the host key", () => {
  it("is refused when none is configured, and the refusal says what to configure", async () => {
    const { target, hostKeys } = await server();
    const fault = await faultOf(link({ ...target, hostKey: null }).connect());
    const seen = fingerprint(publicBlob(hostKeys[0] as string));
    expect(fault.code).toBe("host-key-unknown");
    expect(fault.message).toContain(seen);
    expect(fault.next).toContain(`hostKey: "${seen}"`);
  });

  it("is refused when it is another one, and both are shown", async () => {
    const { target, hostKeys } = await server();
    const other = fingerprint(publicBlob(keyPair().private));
    const fault = await faultOf(link({ ...target, hostKey: other }).connect());
    expect(fault.code).toBe("host-key-changed");
    expect(fault.message).toContain(other);
    expect(fault.message).toContain(fingerprint(publicBlob(hostKeys[0] as string)));
  });

  it("may be a whole public key line, also of a type the server would not show first", async () => {
    const hostKeys = [keyPair().private, keyPair("rsa").private];
    const { target } = await server({ hostKeys });
    await link({ ...target, hostKey: publicLine(hostKeys[1] as string) }).connect();
  });

  it("may be the fingerprint of a type the server would not show first", async () => {
    const hostKeys = [keyPair().private, keyPair("rsa").private];
    const { target } = await server({ hostKeys });
    await link({ ...target, hostKey: fingerprint(publicBlob(hostKeys[1] as string)) }).connect();
  });

  it("is looked up in a known_hosts file with the port", async () => {
    const { target, hostKeys, folder } = await server();
    const knownHostsFile = join(folder, "known_hosts");
    const policy = { ...target, hostKey: null, knownHostsFile };
    writeFileSync(knownHostsFile, `[127.0.0.1]:${target.port} ${publicLine(hostKeys[0] as string)}\n`);
    await link(policy).connect();
    writeFileSync(knownHostsFile, `127.0.0.1 ${publicLine(hostKeys[0] as string)}\n`);
    expect((await faultOf(link(policy).connect())).code).toBe("host-key-unknown");
    writeFileSync(knownHostsFile, `[127.0.0.1]:${target.port} ${publicLine(keyPair().private)}\n`);
    expect((await faultOf(link(policy).connect())).code).toBe("host-key-changed");
  });

  it("is never accepted because the key file is missing", async () => {
    const { target } = await server();
    const fault = await faultOf(link({ ...target, hostKey: null, knownHostsFile: "/nope/known_hosts" }).connect());
    expect(fault.code).toBe("host-key-unknown");
  });
});

describe("the login", () => {
  it("that is refused names the key and the user", async () => {
    const { target, folder } = await server();
    const identityFile = join(folder, "stranger");
    writeFileSync(identityFile, keyPair().private);
    const fault = await faultOf(link({ ...target, identityFile }).connect());
    expect(fault.code).toBe("login-refused");
    expect(fault.message).toContain(identityFile);
    expect(fault.message).toContain("room137");
    expect(fault.next).toContain("authorized_keys");
  });

  it.each([
    ["is missing", null, "could not be read"],
    ["is no key", "hello", "is not a private key"],
    [
      "needs a passphrase",
      ssh2.utils.generateKeyPairSync("ed25519", { passphrase: "x", cipher: "aes256-cbc", rounds: 4 }).private,
      "protected by a passphrase",
    ],
    ["is the public half", ssh2.utils.generateKeyPairSync("ed25519").public, "is a public key"],
  ])("with a key file that %s says so before anything is sent", async (_what, text, expected) => {
    const { target, folder, counts } = await server();
    const identityFile = join(folder, "other");
    if (text !== null) writeFileSync(identityFile, text);
    const fault = await faultOf(link({ ...target, identityFile }).connect());
    expect(fault.code).toBe("login-refused");
    expect(fault.message).toContain(expected);
    expect(counts.connections).toBe(0);
  });

  it("without any key says that none is configured", async () => {
    const { target } = await server();
    expect((await faultOf(link({ ...target, identityFile: null }).connect())).message).toContain(
      "no key is configured",
    );
  });
});

describe("the connection", () => {
  it("is one for all who ask at the same time, and is kept", async () => {
    const { target, counts } = await server();
    const host = link(target);
    await Promise.all([host.connect(), host.exec(["date"], options), host.exec(["df"], options)]);
    expect(await host.connect()).toBe(0);
    expect(counts.connections).toBe(1);
  });

  it("is made anew on the next use after it was lost", async () => {
    const { target, counts, dropConnections } = await server();
    const host = link(target);
    await host.connect();
    const before = host.generation();
    dropConnections();
    // The loss may show during this use or before it; the one after finds a new connection either way.
    await host.exec(["date"], options);
    expect(await host.exec(["date"], options)).toMatchObject({ ok: true });
    expect(counts.connections).toBe(2);
    expect(host.generation()).toBe(before + 1);
  });

  it("that nobody accepts is a fault with the way out, and is not tried again at once", async () => {
    const { target, counts } = await server();
    const gone = await startFakeSshd();
    await gone.stop();
    let nowMs = 1_000;
    const host = link({ ...target, port: gone.target.port }, () => nowMs);
    const fault = await faultOf(host.connect());
    expect(fault.code).toBe("host-unreachable");
    expect(fault.message).toContain("ECONNREFUSED");
    expect(await faultOf(host.connect())).toBe(fault);
    nowMs += limits.reconnectDelayMs + 1;
    expect(await faultOf(host.connect())).not.toBe(fault);
    expect(counts.connections).toBe(0);
  });

  it("to a name that does not exist says so", async () => {
    const { target } = await server();
    const fault = await faultOf(link({ ...target, address: "nobody.invalid" }).connect());
    expect(fault).toMatchObject({ code: "host-unreachable", next: "check the address in the config" });
  });

  it("is not opened again after it was closed", async () => {
    const { target } = await server();
    const host = link(target);
    await host.connect();
    await host.close();
    expect((await faultOf(host.connect())).code).toBe("host-unreachable");
  });
});

describe("a command", () => {
  it("gives its output and exit code", async () => {
    const exec = (_command: string, channel: ServerChannel) => {
      channel.write("out");
      channel.stderr.write("err");
      channel.exit(3);
      channel.end();
    };
    const { target } = await server({ exec });
    const result = await link(target).exec(["df", "-Pk"], options);
    expect(result).toMatchObject({ ok: true, exitCode: 3, truncated: false });
    if (result.ok) expect([result.stdout.toString(), result.stderr.toString()]).toEqual(["out", "err"]);
  });

  it("that prints without end is cut at the limit", async () => {
    const exec = (_command: string, channel: ServerChannel) => {
      const flood = () => {
        while (channel.writable && channel.write(Buffer.alloc(4_096, 120)));
      };
      channel.on("drain", flood);
      flood();
    };
    const { target } = await server({ exec });
    const result = await link(target).exec(["dmesg"], options);
    expect(result).toMatchObject({ ok: true, truncated: true });
    if (result.ok) expect(result.stdout.length).toBe(options.maxBytes);
  });

  it("that never ends is given up when its time is over, and the host stays usable", async () => {
    const exec = (command: string, channel: ServerChannel) => {
      if (command !== "dmesg") {
        channel.exit(0);
        channel.end();
      }
    };
    const { target } = await server({ exec });
    const host = link(target);
    await host.connect();
    expect(await host.exec(["dmesg"], { ...options, timeoutMs: 50 })).toMatchObject({ ok: false, code: "timeout" });
    expect(await host.exec(["date"], options)).toMatchObject({ ok: true });
  });

  it("that its asker gives up is given up", async () => {
    const { target } = await server({ exec: () => {} });
    const stop = new AbortController();
    const running = link(target).exec(["dmesg"], { ...options, signal: stop.signal });
    stop.abort();
    expect(await running).toMatchObject({ ok: false, code: "failed" });
  });

  it("under which the connection dies says that it was lost", async () => {
    const sshd = await server({ exec: () => sshd.dropConnections() });
    expect(await link(sshd.target).exec(["dmesg"], options)).toMatchObject({
      ok: false,
      code: "unreachable",
      lost: true,
    });
  });

  it("waits for a free channel: never more at once than the limit", async () => {
    let running = 0;
    let most = 0;
    const exec = (_command: string, channel: ServerChannel) => {
      running += 1;
      most = Math.max(most, running);
      setImmediate(() => {
        running -= 1;
        channel.exit(0);
        channel.end();
      });
    };
    const { target } = await server({ maxSessions: 100, exec });
    const host = link(target);
    const results = await Promise.all(Array.from({ length: 40 }, () => host.exec(["date"], options)));
    expect(results.every((result) => result.ok)).toBe(true);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(limits.sshChannels);
  });

  it("works where the server allows one session only", async () => {
    const { target, counts } = await server({ maxSessions: 1 });
    const host = link(target);
    const results = await Promise.all(Array.from({ length: 12 }, () => host.exec(["date"], options)));
    expect(results.map((result) => result.ok)).toEqual(Array(12).fill(true));
    expect(counts.mostSessions).toBe(1);
  });

  it("is answered with a refusal where the server allows no session", async () => {
    const { target } = await server({ maxSessions: 0 });
    expect(await link(target).exec(["date"], options)).toMatchObject({ ok: false, code: "permission-denied" });
  });
});
