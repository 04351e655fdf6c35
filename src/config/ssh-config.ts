/** One `Host` block of an OpenSSH client config; the first value of a keyword wins (ssh_config(5)). */
export interface SshAlias {
  patterns: string[];
  values: Map<string, string>;
}

export interface ResolvedAlias {
  hostName: string | null;
  port: number | null;
  user: string | null;
  identityFile: string | null;
  /** `ProxyJump` or `ProxyCommand`, which is not supported. */
  proxy: string | null;
}

/** Reads Host, HostName, Port, User, IdentityFile and proxies; `Match` blocks and `Include` are left out. */
export function parseSshConfig(text: string): SshAlias[] {
  let block: SshAlias = { patterns: ["*"], values: new Map() };
  const blocks = [block];
  for (const line of text.split("\n")) {
    const found = /^\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.+?)\s*$/.exec(line);
    if (!found) continue;
    const keyword = (found[1] as string).toLowerCase();
    const value = (found[2] as string).replace(/^"(.*)"$/, "$1");
    if (keyword === "host" || keyword === "match") {
      block = {
        patterns: keyword === "host" ? value.split(/\s+/) : [],
        values: new Map(),
      };
      blocks.push(block);
    } else if (!block.values.has(keyword)) block.values.set(keyword, value);
  }
  return blocks;
}

export function lookUpAlias(blocks: readonly SshAlias[], name: string): ResolvedAlias {
  const matching = blocks.filter((block) => matches(block.patterns, name));
  const first = (keyword: string) => matching.find((block) => block.values.has(keyword))?.values.get(keyword) ?? null;
  const port = Number(first("port"));
  const none = (value: string | null) => (value === null || value.toLowerCase() === "none" ? null : value);
  const hostName = first("hostname")?.replaceAll("%h", name) ?? null;
  return {
    hostName: hostName === name ? null : hostName,
    port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : null,
    user: first("user"),
    identityFile: none(first("identityfile"))?.replace(/^%d\//, "~/") ?? null,
    proxy: none(first("proxyjump")) ? "ProxyJump" : none(first("proxycommand")) ? "ProxyCommand" : null,
  };
}

function matches(patterns: readonly string[], name: string): boolean {
  const test = (pattern: string) =>
    new RegExp(
      `^${pattern
        .replace(/\*+/g, "*")
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll("*", ".*")
        .replaceAll("?", ".")}$`,
    ).test(name);
  if (patterns.some((pattern) => pattern.startsWith("!") && test(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && test(pattern));
}
