export interface TarFile {
  /** As it stands in the archive, without a leading `./`. */
  name: string;
  kind: "file" | "link" | "other";
  /** Where a symbolic link leads, as it stands there; empty for the rest. */
  target: string;
  body: Buffer;
}

const BLOCK = 512;

/**
 * The members of a tar archive (POSIX ustar, with the path of pax and GNU long names), as far as it is whole: an archive
 * that was cut yields what came before the cut. Never throws: what is not tar is no members.
 */
export function tarFiles(archive: Buffer, maxFiles: number): TarFile[] {
  const files: TarFile[] = [];
  let longName: string | null = null;
  for (let at = 0; at + BLOCK <= archive.length && files.length < maxFiles; ) {
    const header = archive.subarray(at, at + BLOCK);
    const size = Number.parseInt(field(header, 124, 12), 8);
    if (header.every((byte) => byte === 0) || !Number.isSafeInteger(size) || size < 0) break;
    const body = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (body.length < size) break;
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const type = field(header, 156, 1);
    if (type === "L" || type === "x") {
      longName = type === "L" ? body.toString("utf8").replace(/\0.*$/s, "") : paxPath(body);
      continue;
    }
    const prefix = field(header, 345, 155);
    const name = longName ?? (prefix === "" ? "" : `${prefix}/`) + field(header, 0, 100);
    const kind = type === "0" || type === "" ? "file" : type === "2" ? "link" : "other";
    files.push({ name: name.replace(/^\.\//, ""), kind, target: kind === "link" ? field(header, 157, 100) : "", body });
    longName = null;
  }
  return files;
}

function field(header: Buffer, at: number, length: number): string {
  return header
    .toString("utf8", at, at + length)
    .replace(/\0.*$/s, "")
    .trim();
}

function paxPath(body: Buffer): string | null {
  return /^\d{1,6} path=([^\n]{1,4096})$/m.exec(body.toString("utf8"))?.[1] ?? null;
}
