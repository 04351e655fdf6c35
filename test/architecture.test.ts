import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, it } from "vitest";
import { causes } from "../src/core/causes.ts";
import { rules } from "../src/core/rules/index.ts";

const root = join(import.meta.dirname, "..");

/**
 * Who may import whom: a layer may use those below it, and its own folder. Strangers of one layer do not know each
 * other. `src/slack/blocks` and `src/config` are shapes that the world is described in, so they stand below it.
 */
const layers: { name: string; level: number; is: RegExp }[] = [
  { name: "program", level: 6, is: /^src\/[a-z-]+\.ts$/ },
  { name: "handlers", level: 5, is: /^handlers\// },
  { name: "room", level: 4, is: /^src\/room(\/|\.ts$)/ },
  { name: "sources", level: 3, is: /^src\/sources\// },
  { name: "hosts", level: 3, is: /^src\/hosts\// },
  { name: "store", level: 3, is: /^src\/store\// },
  { name: "slack", level: 3, is: /^src\/slack\/(?!blocks\/)/ },
  { name: "render", level: 2, is: /^src\/render\// },
  { name: "ports", level: 1, is: /^src\/ports\.ts$/ },
  { name: "config", level: 1, is: /^src\/config(\/|\.ts$)/ },
  { name: "blocks", level: 1, is: /^src\/slack\/blocks\// },
  { name: "core", level: 0, is: /^src\/core\// },
];

interface SourceFile {
  path: string;
  text: string;
  imports: string[];
}

const files = ["src", "handlers"].flatMap(sourceFiles).map(readSource);

describe("the house", () => {
  it("lets imports point down, never up or sideways", () => {
    const wrong = files.flatMap((file) => {
      const from = layerOf(file.path);
      if (from === null) return [];
      return local(file)
        .filter((target) => !mayImport(file.path, from, target))
        .map((target) => `${file.path} -> ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it("keeps the local room another Slack: it knows only Block Kit, and only the program and tests know it", () => {
    const own = files.filter((file) => file.path.startsWith("src/local-room/"));
    const knows = own.flatMap((file) =>
      local(file)
        .filter((target) => !/^src\/(local-room|slack\/blocks)\//.test(target))
        .map((target) => `${file.path} -> ${target}`),
    );
    const known = files
      .filter(
        (file) =>
          !file.path.startsWith("src/local-room/") &&
          local(file).some((target) => target.startsWith("src/local-room/")),
      )
      .map((file) => file.path);
    expect(knows).toEqual([]);
    expect(known).toEqual(["src/serve.ts"]);
  });

  it("keeps the core pure: no world, no clock, no waiting, no throwing", () => {
    const core = files.filter((file) => file.path.startsWith("src/core/") && file.path !== "src/core/result.ts");
    const imports = core.flatMap((file) =>
      file.imports
        .filter((target) => !target.startsWith(".") && target !== "node:crypto")
        .map((target) => `${file.path} -> ${target}`),
    );
    const impure = core
      .filter((file) =>
        /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bawait\b|\bthrow\b|\bsetTimeout\(|\bprocess\.(?:env|cwd|exit|hrtime|uptime|platform|pid|on|memoryUsage)\b/.test(
          code(file),
        ),
      )
      .map((file) => file.path);
    expect({ imports, impure }).toEqual({ imports: [], impure: [] });
  });

  it("lets only src/hosts open SSH or the engine, and only src/config read the environment", () => {
    const openers = files
      .filter((file) => file.imports.some((target) => target === "ssh2" || target === "dockerode"))
      .map((file) => dirname(file.path));
    expect([...new Set(openers)]).toEqual(["src/hosts"]);
    const readers = files.filter((file) => /\bprocess\.env\b/.test(code(file))).map((file) => file.path);
    expect(readers).toEqual(["src/main.ts"]);
  });

  it("keeps files at 400 lines and functions at 60, folders at three deep", () => {
    const long = files.filter((file) => file.text.split("\n").length > 401).map((file) => file.path);
    const large = files.flatMap(largeFunctions);
    const deep = files.filter((file) => file.path.split("/").length > 4).map((file) => file.path);
    expect({ long, large, deep }).toEqual({ long: [], large: [], deep: [] });
  });

  it("has no drawer for odds and ends", () => {
    expect(
      files
        .filter((file) => /(^|\/)(utils?|helpers?|common|types|services)(\.ts|\/)/.test(file.path))
        .map((file) => file.path),
    ).toEqual([]);
  });

  it("has every folder of src on its one page", () => {
    const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
    const folders = readdirSync(join(root, "src"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(folders.filter((folder) => !page.includes(folder))).toEqual([]);
    expect(page.split("\n").length).toBeLessThan(120);
  });

  it("registers every rule file once, and each cause it names is of the vocabulary", () => {
    const written = readdirSync(join(root, "src/core/rules")).filter(
      (name) => name.endsWith(".ts") && name !== "index.ts",
    );
    const index = readFileSync(join(root, "src/core/rules/index.ts"), "utf8");
    const exporting = written.filter((name) =>
      /export const \w+: Rule\b/.test(readFileSync(join(root, "src/core/rules", name), "utf8")),
    );
    expect(exporting.filter((name) => !index.includes(`./${name}`))).toEqual([]);
    expect(rules.flatMap((rule) => rule.causes).filter((cause) => !(cause in causes))).toEqual([]);
    expect(new Set(rules.map((rule) => rule.name)).size).toBe(rules.length);
  });
});

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name).split(sep).join("/"))
    .sort();
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const { module } = parseSync(path, text);
  const imports = [
    ...module.staticImports.map((entry) => entry.moduleRequest.value),
    ...module.staticExports.flatMap((entry) => entry.entries.map((item) => item.moduleRequest?.value ?? "")),
  ];
  return { path, text, imports: [...new Set(imports.filter((target) => target !== ""))] };
}

/** Project-relative paths of what a file imports of ours. */
function local(file: SourceFile): string[] {
  return file.imports
    .filter((target) => target.startsWith("."))
    .map((target) =>
      relative(root, join(root, dirname(file.path), target))
        .split(sep)
        .join("/"),
    );
}

function layerOf(path: string): (typeof layers)[number] | null {
  if (path.startsWith("src/local-room/")) return null;
  // ports, config and room are files beside folders of the same level, so the narrower patterns are asked first.
  return layers.toReversed().find((layer) => layer.is.test(path)) ?? null;
}

function mayImport(path: string, from: (typeof layers)[number], target: string): boolean {
  if (path.startsWith("src/") && target.startsWith("test/")) return false;
  if (target.startsWith("src/local-room/")) return path === "src/serve.ts";
  const to = layerOf(target);
  if (to === null) return true;
  if (to.name === from.name) return true;
  if (to.level < from.level) return true;
  // Ports and configuration describe each other's shapes.
  return to.level === from.level && from.level === 1 && from.name === "ports";
}

/** Without comments and strings: a word in a sentence is no use of it. */
function code(file: SourceFile): string {
  return file.text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
    .replace(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/(?![*/])(?:[^/\\\n]|\\.)+\/[dgimsuvy]*/g, '""');
}

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

function largeFunctions(file: SourceFile): string[] {
  const { program } = parseSync(file.path, file.text);
  const found: string[] = [];
  visit(program as unknown as Node, (node) => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return;
    const lines = file.text.slice(node.start, node.end).split("\n").length;
    if (lines > 60) found.push(`${file.path}:${file.text.slice(0, node.start).split("\n").length} has ${lines} lines`);
  });
  return found;
}

function visit(node: Node, see: (node: Node) => void): void {
  see(node);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === "object" && child !== null && typeof (child as Node).type === "string")
        visit(child as Node, see);
    }
  }
}
