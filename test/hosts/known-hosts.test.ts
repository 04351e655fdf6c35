import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprint, judgeHostKey, knownHostKeys, parseKeyLine } from "../../src/hosts/known-hosts.ts";

function keyLine(type: string, seed: string) {
  const name = Buffer.from(type);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  return `${type} ${Buffer.concat([length, name, Buffer.from(seed.padEnd(40, "."))]).toString("base64")}`;
}

const one = keyLine("ssh-ed25519", "one");
const two = keyLine("ssh-ed25519", "two");
const rsa = keyLine("ssh-rsa", "three");
const blob = (line: string) => parseKeyLine(line)?.blob as Buffer;
const judge = (text: string, names: string[], port: number, key: string) =>
  judgeHostKey({ by: "keys", ...knownHostKeys(text, names, port) }, blob(key));

function hashed(name: string) {
  const salt = Buffer.from("0123456789abcdefghij");
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

describe("a known_hosts file", () => {
  it.each([
    ["a plain name", `prod-1 ${one}`, ["prod-1"], 22, "accepted"],
    ["one of several names", `a,10.0.0.5,prod-1 ${one} comment`, ["10.0.0.5"], 22, "accepted"],
    ["any case of the name", `Prod-1 ${one}`, ["PROD-1"], 22, "accepted"],
    ["a wildcard", `*.example.com ${one}`, ["db.example.com"], 22, "accepted"],
    ["a wildcard with an exception", `*.example.com,!db.example.com ${one}`, ["db.example.com"], 22, "unknown"],
    ["a hashed name", `${hashed("prod-1")} ${one}`, ["prod-1"], 22, "accepted"],
    ["another hashed name", `${hashed("prod-2")} ${one}`, ["prod-1"], 22, "unknown"],
    ["a name with a port", `[prod-1]:2222 ${one}`, ["prod-1"], 2222, "accepted"],
    ["a hashed name with a port", `${hashed("[prod-1]:2222")} ${one}`, ["prod-1"], 2222, "accepted"],
    ["the name without the port it is asked for", `prod-1 ${one}`, ["prod-1"], 2222, "unknown"],
    ["an alias", `prod ${one}`, ["10.0.0.5", "prod"], 22, "accepted"],
    ["another key", `prod-1 ${two}`, ["prod-1"], 22, "changed"],
    ["a key of another type only", `prod-1 ${rsa}`, ["prod-1"], 22, "changed"],
    ["two keys of which one fits", `prod-1 ${two}\nprod-1 ${one}`, ["prod-1"], 22, "accepted"],
    ["a revoked key", `prod-1 ${one}\n@revoked * ${one}`, ["prod-1"], 22, "revoked"],
    ["a certificate authority", `@cert-authority prod-1 ${one}`, ["prod-1"], 22, "unknown"],
    ["a comment", `# prod-1 ${one}`, ["prod-1"], 22, "unknown"],
    ["a cut line", `prod-1 ssh-ed25519`, ["prod-1"], 22, "unknown"],
    ["nothing", "", ["prod-1"], 22, "unknown"],
  ])("with %s is judged", (_what, text, names, port, expected) => {
    expect(judge(text, names, port, one)).toBe(expected);
  });

  it("is read whatever it holds", () => {
    fc.assert(fc.property(fc.string(), (text) => judge(text, ["prod-1"], 22, one) === "unknown"));
  });

  it("does not take long over a pattern of many stars", () => {
    expect(judge(`${"*a".repeat(30)} ${one}`, ["a".repeat(60)], 22, one)).toBeDefined();
    expect(judge(`${"*".repeat(5_000)}x ${one}`, ["a".repeat(200)], 22, one)).toBe("unknown");
  });
});

describe("a fingerprint", () => {
  it("is accepted with and without padding, and nothing else is", () => {
    const seen = fingerprint(blob(one));
    expect(seen).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
    expect(judgeHostKey({ by: "fingerprint", fingerprint: seen }, blob(one))).toBe("accepted");
    expect(judgeHostKey({ by: "fingerprint", fingerprint: `${seen}=` }, blob(one))).toBe("accepted");
    expect(judgeHostKey({ by: "fingerprint", fingerprint: seen }, blob(two))).toBe("changed");
    expect(judgeHostKey({ by: "nothing" }, blob(one))).toBe("unknown");
  });
});
