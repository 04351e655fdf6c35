import type { ContainerInspect } from "./readings.ts";

/** A size that a program was told to use, and where that stands. */
export interface SizeSetting {
  /** As written, for example `-Xmx2g`. */
  text: string;
  bytes: number;
  /** `Config.Cmd`, or the variable's name. */
  where: string;
}

const units: Record<string, number> = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/**
 * The heap a runtime was told it may use: `-Xmx` and `MaxHeapSize` of the JVM, `--max-old-space-size` of V8 (in MiB),
 * `GOMEMLIMIT` of Go. The command line beats the environment, and the last of several beats the others, as the JVM does.
 */
export function heapSetting(inspect: ContainerInspect): SizeSetting | null {
  return lastOf(inspect, [
    { pattern: /-Xmx(\d{1,15})([kKmMgGtT]?)\b/g, unit: 1 },
    { pattern: /-XX:MaxHeapSize=(\d{1,15})([kKmMgGtT]?)\b/g, unit: 1 },
    { pattern: /--max[-_]old[-_]space[-_]size[= ](\d{1,9})()\b/g, unit: 1024 ** 2 },
    { pattern: /\bGOMEMLIMIT=(\d{1,15})([KMGT]?)(?:iB|B)?\b/g, unit: 1 },
  ]);
}

/** PostgreSQL's shared_buffers on its command line or in a variable; a bare number counts blocks of 8 kB. */
export function sharedBuffers(inspect: ContainerInspect): SizeSetting | null {
  return lastOf(inspect, [
    { pattern: /\bshared[-_]buffers\s*=\s*['"]?(\d{1,12})\s*([kKMGT])B\b/gi, unit: 1 },
    { pattern: /\bshared[-_]buffers\s*=\s*['"]?(\d{1,12})()(?=['"\s]|$)/gi, unit: 8_192 },
    { pattern: /(?:^|\s)-B\s?(\d{1,12})()(?=\s|$)/g, unit: 8_192 },
  ]);
}

function lastOf(inspect: ContainerInspect, forms: { pattern: RegExp; unit: number }[]): SizeSetting | null {
  const command = [...inspect.entrypoint, ...inspect.command].join(" ").slice(0, 16_384);
  const inCommand = found(command, "Config.Cmd", forms);
  if (inCommand.length > 0) return inCommand.at(-1) ?? null;
  const inEnv = inspect.env.flatMap((variable) =>
    found(`${variable.name}=${variable.value}`.slice(0, 16_384), variable.name, forms),
  );
  return inEnv.toSorted((a, b) => b.bytes - a.bytes)[0] ?? null;
}

function found(text: string, where: string, forms: { pattern: RegExp; unit: number }[]): SizeSetting[] {
  return forms.flatMap(({ pattern, unit }) =>
    [...text.matchAll(pattern)].map((match) => ({
      text: match[0].trim().replace(/['"]/g, ""),
      where,
      bytes: Number(match[1]) * unit * (units[(match[2] ?? "").toLowerCase()] ?? 1),
    })),
  );
}
