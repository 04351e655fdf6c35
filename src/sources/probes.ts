import { limits } from "../core/limits.ts";
import type { ProbeResult } from "../core/readings.ts";
import type { PlannedRead } from "../core/reads.ts";
import type { RawProbe } from "../ports.ts";
import { bounded, inert } from "./inert.ts";
import { textMap } from "./json.ts";
import { type EvidenceSource, type ReadContext, toReading } from "./reading.ts";

/** What the asked-about symptom looks like from the host itself. An error status is an answer, not a failed reading. */
export const httpProbe: EvidenceSource<"http-probe"> = {
  name: "http-probe",
  async read(reader, planned, context) {
    const raw = await reader.probe({ probe: "http", ...planned.args }, context.signal);
    const { path, expect } = planned.args;
    return probeReading(planned, raw, { kind: "http", path, expectedStatus: expect }, context);
  },
};

export const tcpProbe: EvidenceSource<"tcp-probe"> = {
  name: "tcp-probe",
  async read(reader, planned, context) {
    const raw = await reader.probe({ probe: "tcp", ...planned.args }, context.signal);
    return probeReading(planned, raw, { kind: "tcp", path: null, expectedStatus: null }, context);
  },
};

export const tlsProbe: EvidenceSource<"tls-probe"> = {
  name: "tls-probe",
  async read(reader, planned, context) {
    const raw = await reader.probe({ probe: "tls", ...planned.args }, context.signal);
    return probeReading(planned, raw, { kind: "tls", path: null, expectedStatus: null }, context);
  },
};

type ProbeSource = "http-probe" | "tcp-probe" | "tls-probe";

function probeReading<S extends ProbeSource>(
  planned: { host: string; source: S; containerId: string | null; args: PlannedRead<ProbeSource>["args"] },
  raw: RawProbe,
  asked: Pick<ProbeResult, "kind" | "path" | "expectedStatus">,
  context: ReadContext,
) {
  const about = { source: planned.source, host: planned.host, containerId: planned.containerId, read: raw.read };
  if (raw.unavailable !== null) return toReading<S>(about, { status: "failed", ...raw.unavailable }, context);
  const value = parseProbe(raw, { ...asked, address: planned.args.address, port: planned.args.port }, context);
  return toReading<S>(about, { status: "ok", value, hashed: JSON.stringify({ ...value, durationMs: 0 }) }, context);
}

/** Only the beginning of the body is kept, as text that does nothing. */
export function parseProbe(
  raw: RawProbe,
  asked: Pick<ProbeResult, "kind" | "path" | "expectedStatus" | "address" | "port">,
  context: Pick<ReadContext, "redactor">,
): ProbeResult {
  const safe = (text: string) => bounded(context.redactor.text(inert(text)), limits.probeBodyBytes);
  const masked = textMap(context.redactor.json(raw.headers));
  return {
    ...asked,
    path: asked.path === null ? null : safe(asked.path),
    failure: raw.failure,
    detail: safe(raw.detail),
    httpStatus: raw.httpStatus,
    durationMs: raw.tookMs,
    bodyExcerpt: raw.body.length === 0 ? null : safe(raw.body.toString("utf8")),
    headers: Object.fromEntries(Object.entries(masked).map(([name, header]) => [inert(name), safe(header)])),
    certificate: raw.certificate,
  };
}
