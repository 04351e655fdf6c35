import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface Locked {
  version?: string;
  integrity?: string;
  link?: boolean;
  dev?: boolean;
  optional?: boolean;
  hasInstallScript?: boolean;
}

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, Locked> };
const packages = Object.entries(lock.packages).filter(([path]) => path !== "");

describe("dependencies", () => {
  it("are named by one exact version each, and every package of the lockfile by its SHA-512", () => {
    const named = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(named.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    expect(packages.length).toBeGreaterThan(100);
    expect(packages.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""))).toEqual([]);
    expect(packages.filter(([, { link }]) => link === true)).toEqual([]);
  });

  it("run no script of their own at installation", () => {
    const withScript = packages.filter(([, locked]) => locked.hasInstallScript === true).map(([path]) => path);
    const allowed = Object.keys(manifest.allowScripts).map((name) => `node_modules/${name}`);
    const shipped = withScript.filter((path) => lock.packages[path]?.dev !== true);
    expect(allowed).toEqual(["node_modules/node"]);
    expect(readFileSync("Dockerfile", "utf8")).toMatch(/npm ci [^\n]*--ignore-scripts/);
    // Their scripts only build native parts that have an equal in JavaScript.
    expect(shipped.filter((path) => !/\/(ssh2|cpu-features|protobufjs)$/.test(path))).toEqual([]);
  });
});
