import { describe, expect, it } from "vitest";
import type { PlannedRead } from "../../src/core/reads.ts";
import type { RawProbe } from "../../src/ports.ts";
import { httpProbe } from "../../src/sources/probes.ts";
import { context, fakeReader } from "./recorded.ts";

const args = {
  address: "127.0.0.1",
  port: 80,
  path: "/items?token=hunter2",
  hostHeader: null,
  tls: false,
  expect: 200,
};
const read: PlannedRead<"http-probe"> = { host: "h", source: "http-probe", containerId: null, args };
const raw: RawProbe = {
  read: "http 127.0.0.1:80/items?token=hunter2",
  tookMs: 12,
  failure: null,
  detail: "answered",
  httpStatus: 500,
  headers: { "set-cookie": "sid=hunter2", server: "nginx" },
  body: Buffer.from(`\u001b[31mpassword=hunter2\u001b[0m ${"x".repeat(9_000)}`),
  certificate: null,
  unavailable: null,
};

describe("probing", () => {
  it("keeps an error status as an answer, its body short, harmless and without secrets", async () => {
    const reading = await httpProbe.read(fakeReader({ probe: () => raw }), read, context());
    expect(reading).toMatchObject({
      outcome: {
        status: "ok",
        value: {
          httpStatus: 500,
          expectedStatus: 200,
          durationMs: 12,
          headers: { "set-cookie": "[redacted]", server: "nginx" },
        },
      },
    });
    const text = JSON.stringify(reading);
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain("\\u001b");
    expect(text.length).toBeLessThan(6_000);
  });

  it("fails when the probe could not be made", async () => {
    const unavailable = {
      code: "unsupported" as const,
      reason: "forwarding is forbidden",
      fix: "AllowTcpForwarding yes",
    };
    const reading = await httpProbe.read(fakeReader({ probe: () => ({ ...raw, unavailable }) }), read, context());
    expect(reading).toMatchObject({ outcome: { status: "failed", ...unavailable } });
  });
});
