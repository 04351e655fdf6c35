import { type EvidenceSource, outputFailure, type Parsed, toReading } from "./reading.ts";

/**
 * The host's clock. It was read somewhere inside the round trip, so the offset to ours (`hostTimeMs` minus the middle of
 * the trip) is known to half of `roundTripMs`.
 */
export const hostClock: EvidenceSource<"host-clock"> = {
  name: "host-clock",
  async read(reader, planned, context) {
    const output = await reader.run({ command: "clock" }, context.signal);
    const about = { source: planned.source, host: planned.host, containerId: null, read: output.read };
    const failure = outputFailure(output);
    if (failure !== null || !output.ok) {
      return toReading(
        about,
        { status: "failed", code: "failed", reason: "no answer", fix: null, ...failure },
        context,
      );
    }
    return toReading(about, parseClock(output.stdout.toString("utf8"), output.tookMs), context);
  },
};

/** `1767225600.123456789`; BusyBox leaves `%N` as it is, or empty. */
export function parseClock(text: string, roundTripMs: number): Parsed<"host-clock"> {
  const match = /^(\d{9,12})(?:\.(\d{1,9})?)?/.exec(text.trim());
  if (match === null) return { status: "failed", code: "malformed", reason: "date printed no time", fix: null };
  const fractionMs = match[2] === undefined ? 0 : Number(`0.${match[2]}`) * 1000;
  const value = { hostTimeMs: Math.round(Number(match[1]) * 1000 + fractionMs), roundTripMs };
  return { status: "ok", value, hashed: text };
}
