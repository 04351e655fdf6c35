import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { decoded } from "./access.ts";

const folder = fileURLToPath(new URL("../page/", import.meta.url));
const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
};

/** No inline script, no foreign origin, no frame: a message can at worst look odd. */
export const pageHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

/** `/` is the page's index.html, `/page/<file>` what it loads. Nothing outside the folder is reachable. */
export async function servePage(path: string, response: ServerResponse): Promise<void> {
  const wanted = path.startsWith("/page/") ? path.slice("/page/".length) : "index.html";
  const file = resolve(folder, decoded(wanted));
  const type = types[extname(file)];
  const content =
    type !== undefined && file.startsWith(folder.endsWith(sep) ? folder : folder + sep)
      ? await readFile(file).catch(() => null)
      : null;
  if (content === null || type === undefined) {
    response.writeHead(404, { ...pageHeaders, "content-type": "text/plain; charset=utf-8" }).end("not found");
    return;
  }
  response.writeHead(200, { ...pageHeaders, "content-type": type }).end(content);
}
