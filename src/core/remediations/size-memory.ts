import { limits } from "../limits.ts";
import { humanBytes } from "../rule.ts";
import type { ContainerView } from "../world.ts";

/** What bounds a memory cap from above. */
export interface MemoryPolicy {
  maxMemoryBytes: number | null;
  maxHostMemoryPercent: number;
}

export interface MemorySize {
  memoryBytes: number;
  /** The arithmetic, with its inputs, as one sentence. */
  why: string;
  floorBytes: number;
  ceilingBytes: number;
}

const mib = 1024 * 1024;
const gib = 1024 * mib;

/**
 * What a runtime needs beside its data, and the least a container of this kind should have. House values: the
 * overheads are the middle of the usual advice (JVM 200 to 400 MB, Node 50 to 100, Go 20 to 50, Python 30 to 100);
 * PostgreSQL's documentation starts its 25 % rule for shared_buffers at 1 GB; MySQL 8 is made to start in 512 MB.
 */
const runtimes: { name: string; is: RegExp; overheadBytes: number; leastBytes: number }[] = [
  { name: "PostgreSQL", is: /postgres|postmaster|pgdata|timescale|pgvector/, overheadBytes: 64 * mib, leastBytes: gib },
  { name: "MySQL", is: /mysql|mariadb/, overheadBytes: 128 * mib, leastBytes: gib },
  { name: "JVM", is: /java|jvm|elasticsearch|kafka|spring|tomcat/, overheadBytes: 300 * mib, leastBytes: 512 * mib },
  { name: "Node.js", is: /\bnode\b|npm|yarn|nodejs/, overheadBytes: 75 * mib, leastBytes: 256 * mib },
  { name: "Python", is: /python|gunicorn|uvicorn|celery|django|flask/, overheadBytes: 64 * mib, leastBytes: 256 * mib },
  { name: "Go", is: /golang|\bgo\b/, overheadBytes: 35 * mib, leastBytes: 128 * mib },
  { name: "Redis", is: /redis|valkey/, overheadBytes: 64 * mib, leastBytes: 256 * mib },
];
/** These reserve far more address space than they ever use. */
const reserves = /JVM|Node|Go/;
const unknownRuntime = { name: "an unknown runtime", overheadBytes: 64 * mib, leastBytes: 256 * mib };

/**
 * Peak use times 1.5 plus the runtime's overhead, rounded up; never less than twice the limit that was hit, because a
 * kill at the limit hides the true peak, and up to four times where the killed process had asked for that much address
 * space; never less than what this kind of container should have; inside the policy's ceiling and what the host can
 * give. A limit that somebody lowered goes back to what it was. A sentence where nothing useful fits, or where the limit
 * was raised since.
 */
export function sizeMemory(
  view: ContainerView,
  measures: Record<string, number>,
  policy: MemoryPolicy,
): MemorySize | { refused: string } {
  const limitBytes = view.inspect?.value.memoryLimitBytes ?? null;
  if (limitBytes === null) return { refused: `${view.name} has no memory limit, so raising it cannot help` };
  // What does not run holds nothing of its limit: all it will use comes out of what the host has free.
  const heldBytes = view.inspect?.value.running || view.inspect?.value.restarting ? limitBytes : 0;
  const ceilings = ceilingsOf(heldBytes, measures, policy);
  const ceiling = ceilings.reduce((least, next) => (next.bytes < least.bytes ? next : least));
  const previousBytes = measures["previousLimitBytes"] ?? 0;
  if (previousBytes >= limitBytes * limits.leastRaise && previousBytes <= ceiling.bytes) {
    return {
      memoryBytes: previousBytes,
      why: `back to ${humanBytes(previousBytes)}, the limit it had before it was lowered to ${humanBytes(limitBytes)}`,
      floorBytes: roundUp(limitBytes * limits.leastRaise),
      ceilingBytes: roundDown(ceiling.bytes),
    };
  }
  const runtime = runtimeOf(view);
  const peakBytes = measures["peakBytes"] ?? limitBytes;
  const formulaBytes = peakBytes * 1.5 + runtime.overheadBytes;
  const askedBytes = reserves.test(runtime.name) ? 0 : Math.min(measures["addressSpaceBytes"] ?? 0, limitBytes * 4);
  const leastBytes = Math.max(limitBytes * 2, runtime.leastBytes, measures["wantedBytes"] ?? 0);
  const wantedBytes = roundUp(Math.max(formulaBytes, leastBytes, askedBytes));
  const floorBytes = roundUp(Math.max(formulaBytes, limitBytes * limits.leastRaise));
  if (ceiling.bytes < Math.min(floorBytes, limitBytes * limits.leastRaise)) {
    return {
      refused: `${view.name} needs more than ${humanBytes(limitBytes)}, and ${ceiling.name} allows only ${humanBytes(ceiling.bytes)}`,
    };
  }
  const memoryBytes = Math.min(wantedBytes, roundDown(ceiling.bytes));
  const parts = [
    `peak use ${humanBytes(peakBytes)} x 1.5 + ${humanBytes(runtime.overheadBytes)} overhead for ${runtime.name} = ${humanBytes(Math.round(formulaBytes))}`,
    peakBytes >= limitBytes * 0.9
      ? `the kill at ${humanBytes(limitBytes)} hides the true peak, so at least twice the limit`
      : null,
    runtime.leastBytes > Math.max(formulaBytes, limitBytes * 2)
      ? `${runtime.name} should have at least ${humanBytes(runtime.leastBytes)}`
      : null,
    askedBytes > Math.max(formulaBytes, leastBytes)
      ? `the killed process had asked for ${humanBytes(Math.round(measures["addressSpaceBytes"] ?? 0))} of address space`
      : null,
    wantedBytes > memoryBytes
      ? `held at ${humanBytes(memoryBytes)} by ${ceiling.name}`
      : `rounded up to ${humanBytes(memoryBytes)}`,
  ];
  return {
    memoryBytes,
    why: parts.filter((part) => part !== null).join("; "),
    floorBytes: Math.min(floorBytes, memoryBytes),
    ceilingBytes: roundDown(ceiling.bytes),
  };
}

function ceilingsOf(
  heldBytes: number,
  measures: Record<string, number>,
  policy: MemoryPolicy,
): { name: string; bytes: number }[] {
  const total = measures["hostTotalBytes"];
  const available = measures["hostAvailableBytes"];
  return [
    { name: "the policy's maxMemory", bytes: policy.maxMemoryBytes ?? Number.MAX_SAFE_INTEGER },
    {
      name: `the policy's share of ${policy.maxHostMemoryPercent} % of the host`,
      bytes: total === undefined ? Number.MAX_SAFE_INTEGER : (total * policy.maxHostMemoryPercent) / 100,
    },
    {
      name: "the host's free memory",
      bytes: available === undefined ? Number.MAX_SAFE_INTEGER : heldBytes + available * limits.hostHeadroomShare,
    },
  ];
}

export function runtimeOf(view: ContainerView): { name: string; overheadBytes: number; leastBytes: number } {
  const inspect = view.inspect?.value;
  if (inspect === undefined) return unknownRuntime;
  const own = [...inspect.entrypoint, ...inspect.command, ...inspect.env.map((variable) => variable.name)]
    .join(" ")
    .toLowerCase();
  const image = inspect.image.toLowerCase();
  const ports = inspect.exposedPorts.map((exposed) => exposed.port);
  return (
    runtimes.find((runtime) => runtime.is.test(own) || runtime.is.test(image)) ??
    (ports.includes(5432) ? runtimes[0] : ports.includes(3306) ? runtimes[1] : undefined) ??
    unknownRuntime
  );
}

function roundUp(bytes: number): number {
  const step = bytes > 4 * gib ? gib : bytes > gib ? 256 * mib : 64 * mib;
  return Math.ceil(bytes / step) * step;
}

function roundDown(bytes: number): number {
  return Math.floor(bytes / (16 * mib)) * 16 * mib;
}
