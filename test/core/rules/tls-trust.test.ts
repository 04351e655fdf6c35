import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/diagnose.ts";
import type { ProbeResult } from "../../../src/core/readings.ts";
import { askedAtMs, probe, questionAbout, readingsOf, type SceneContainer, type SceneHost } from "../scene.ts";

const day = 86_400_000;
const shown = (fromDays: number, toDays: number): Partial<ProbeResult> =>
  probe({
    kind: "tls",
    port: 8443,
    certificate: {
      subject: "CN=api",
      issuer: "CN=Authority",
      altNames: ["DNS:api"],
      validFromMs: askedAtMs + fromDays * day,
      validToMs: askedAtMs + toDays * day,
      selfSigned: false,
      verifyError: null,
    },
  });

function scene(line: string, api: Partial<ProbeResult> | null, web: Partial<SceneContainer> = {}): SceneHost {
  return {
    containers: [
      {
        name: "web",
        inspect: { env: [{ name: "API_URL", value: "https://api:8443/", digest: "x" }] },
        logs: [line],
        probes: [{ path: "/call", httpStatus: 500 }],
        ...web,
      },
      { name: "api", ...(api === null ? {} : { other: { "tls-probe": api as ProbeResult } }) },
    ],
  };
}

const rootOf = (host: SceneHost) => diagnose(questionAbout("web"), readingsOf(host)).diagnosis.rootCause;
const expired = "Error: certificate has expired, code: 'CERT_HAS_EXPIRED'";
const unknown = "Error: unable to get local issuer certificate";

it("accuses the owner of a certificate that the handshake shows to be past its end", () => {
  expect(rootOf(scene(expired, shown(-90, -2)))).toMatchObject({
    cause: "cert-expired",
    container: "api",
    confidence: "confirmed",
  });
  expect(rootOf(scene("Error: certificate is not yet valid", shown(2, 90)))).toMatchObject({
    cause: "cert-not-yet-valid",
    container: "api",
  });
});

it("says internal only when the asked-about service's own public certificate is fine", () => {
  const host = scene(expired, shown(-90, -2), { other: { "tls-probe": shown(-9, 90) as ProbeResult } });
  expect(rootOf(host)).toMatchObject({ cause: "internal-cert-only", container: "api" });
});

it("accuses the client that lacks the authority while the certificate itself is good", () => {
  expect(rootOf(scene(unknown, shown(-9, 90)))).toMatchObject({ cause: "ca-unknown", container: "web" });
});

it("does not call a good certificate expired because an old line says so", () => {
  expect(rootOf(scene(expired, shown(-1, 90)))?.cause ?? "none").not.toBe("cert-expired");
});

it("blames the clock and not the certificate on a host that is far off", () => {
  const readings = readingsOf(
    scene(
      "2026-03-02T11:59:50Z x509: certificate has expired or is not yet valid: current time 2026-03-01T12:00:00Z is after 2026-02-01T00:00:00Z",
      shown(-9, 31),
    ),
  );
  const skewed = readings.map((reading) =>
    reading.source === "host-clock"
      ? { ...reading, outcome: { status: "ok" as const, value: { hostTimeMs: askedAtMs + 60 * day, roundTripMs: 1 } } }
      : reading,
  );
  const { rootCause } = diagnose(questionAbout("web"), skewed).diagnosis;
  expect(rootCause).toMatchObject({ cause: "host-clock-skew", container: null });
});

it("is less sure without the handshake", () => {
  expect(rootOf(scene(expired, null))).toMatchObject({
    cause: "cert-expired",
    container: "api",
    confidence: "probable",
  });
});

it("tells a credential that is past its end from a certificate", () => {
  const host: SceneHost = {
    containers: [
      {
        name: "web",
        logs: ["ERROR GET /pay 500: TokenExpiredError: jwt expired", '"GET /pay HTTP/1.1" 500 -'],
        probes: [{ path: "/pay", httpStatus: 500 }],
      },
    ],
  };
  expect(rootOf(host)).toMatchObject({ cause: "token-expired", container: "web" });
});

it.each([
  [".NET", "AuthenticationException: The remote certificate is invalid: RemoteCertificateNameMismatch"],
  ["rustls before 0.22", "error trying to connect: invalid peer certificate: NotValidForName"],
  ["rustls", 'invalid peer certificate: certificate not valid for name "api"; certificate is only valid for "old"'],
  ["Erlang", "{:tls_alert, {:handshake_failure, {:bad_cert, :hostname_check_failed}}}"],
  ["Java", "javax.net.ssl.SSLHandshakeException: No name matching api found"],
  ["Ruby", 'OpenSSL::SSL::SSLError (hostname "api" does not match the server certificate)'],
  ["PHP", "Warning: Peer certificate CN=`old' did not match expected CN=`api'"],
])("accuses the owner of a certificate that stands for another name, in the words of %s", (_library, line) => {
  const other = shown(-9, 90);
  const stranger = probe({
    ...other,
    certificate: other.certificate ? { ...other.certificate, subject: "CN=old", altNames: ["DNS:old"] } : null,
  });
  expect(rootOf(scene(line, stranger))).toMatchObject({ cause: "cert-wrong-name", container: "api" });
  expect(rootOf(scene("GET /call 500", stranger))?.cause ?? "none").not.toBe("cert-wrong-name");
});

it.each([
  [".NET", "RemoteCertificateChainErrors (PartialChain)"],
  ["rustls", "invalid peer certificate: UnknownIssuer"],
])("accuses the client that lacks the authority, in the words of %s", (_library, line) => {
  expect(rootOf(scene(line, shown(-9, 90)))).toMatchObject({ cause: "ca-unknown", container: "web" });
});

it.each([
  ["rustls", "invalid peer certificate: Expired"],
  ["Erlang", "{:tls_alert, {:certificate_expired, {:bad_cert, :cert_expired}}}"],
])("accuses the owner of an expired certificate, in the words of %s", (_library, line) => {
  expect(rootOf(scene(line, shown(-90, -2)))).toMatchObject({ cause: "cert-expired", container: "api" });
});
