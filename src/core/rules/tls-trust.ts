import { callsTo, citeInspect, citeLine, recentSignal } from "../callers.ts";
import type { Cause } from "../causes.ts";
import type { Finding } from "../diagnosis.ts";
import type { Fact } from "../evidence.ts";
import { signalPeer } from "../graph.ts";
import { limits } from "../limits.ts";
import type { LogSignal, SignalKind } from "../log-signals.ts";
import { isAddress, namesOf } from "../resolve.ts";
import { faultAt, type Rule, weight } from "../rule.ts";
import { isCurrent } from "../told.ts";
import { type ContainerView, cite, hostOf, type World } from "../world.ts";

/**
 * Certificates. The handshake shows what the server presents; the client's own words say why it was refused. The owner
 * of a bad certificate is at fault, except where the client does not know a good authority.
 */
export const tlsTrust: Rule = {
  name: "tls-trust",
  causes: [
    "cert-expired",
    "cert-not-yet-valid",
    "cert-wrong-name",
    "ca-unknown",
    "key-mismatch",
    "pg-key-perms",
    "internal-cert-only",
  ],
  needs: ["docker-logs", "tls-probe"],
  evaluate(world, view) {
    return [
      ...presented(world, view),
      ...refusedByCaller(world, view),
      ...unknownAuthority(world, view),
      ...ownKey(world, view),
    ];
  },
};

type Probe = ContainerView["probes"][number];

/** Probes that saw a certificate, of whatever kind. */
function handshakes(view: ContainerView): Probe[] {
  return view.probes.filter((probe) => probe.value.certificate !== null);
}

/** What is wrong with the certificate by itself, at the host's own time. */
function problemOf(world: World, probe: Probe): Cause | null {
  const certificate = probe.value.certificate;
  if (certificate === null) return null;
  const nowMs = world.nowMs;
  if (certificate.validToMs < nowMs) return "cert-expired";
  if (certificate.validFromMs > nowMs) return "cert-not-yet-valid";
  return null;
}

/** The served certificate is out of its time: nothing else needs to be known. */
function presented(world: World, view: ContainerView): Finding[] {
  for (const probe of handshakes(view)) {
    const cause = problemOf(world, probe);
    const certificate = probe.value.certificate;
    if (cause === null || certificate === null || isSkewed(world, view)) continue;
    const complaints = complaintsAbout(world, view);
    const needed = world.subjects.includes(view) || complaints.length > 0;
    if (!needed) continue;
    return [certificateFault(world, view, cause, [validity(view, probe)], complaints, probe)];
  }
  return [];
}

/** A caller names what is wrong; the probe agrees, or was not made. */
function refusedByCaller(world: World, view: ContainerView): Finding[] {
  if (handshakes(view).some((probe) => problemOf(world, probe) !== null)) return [];
  for (const { signal, caller } of complaintsAbout(world, view)) {
    const cause = byKind[signal.kind];
    if (cause === undefined || cause === "ca-unknown") continue;
    const seen = handshakes(view);
    if (cause !== "cert-wrong-name" && seen.length > 0) continue;
    if (cause !== "cert-wrong-name" && isSkewed(world, caller)) continue;
    const names = seen.map((probe) => presentedNames(view, probe));
    return [certificateFault(world, view, cause, names, [{ signal, caller }], seen[0] ?? null)];
  }
  return [];
}

const byKind: Partial<Record<SignalKind, Cause>> = {
  "peer-cert-expired": "cert-expired",
  "peer-cert-not-yet-valid": "cert-not-yet-valid",
  "peer-cert-wrong-name": "cert-wrong-name",
  "peer-cert-unknown-authority": "ca-unknown",
};

function complaintsAbout(world: World, view: ContainerView): { signal: LogSignal; caller: ContainerView }[] {
  return callsTo(world, view).flatMap(({ caller, edge }) => {
    const told = edge.failures.filter((signal) => byKind[signal.kind] !== undefined);
    const specific = told.filter((signal) => signal.kind !== "peer-cert-unknown-authority");
    const last = recentSignal(world, caller, specific.length > 0 ? specific : told);
    return last === null ? [] : [{ signal: last, caller }];
  });
}

function certificateFault(
  world: World,
  view: ContainerView,
  cause: Cause,
  shown: Fact[],
  complaints: { signal: LogSignal; caller: ContainerView }[],
  probe: Probe | null,
): Finding {
  const inner = publicFine(world, view);
  const certificate = probe?.value.certificate ?? null;
  const words: Partial<Record<Cause, string>> = {
    "cert-expired": certificate === null ? "has expired" : `expired on ${day(certificate.validToMs)}`,
    "cert-not-yet-valid":
      certificate === null ? "is not valid yet" : `is not valid before ${day(certificate.validFromMs)}`,
    "cert-wrong-name": "is made for another name than the one it is asked by",
  };
  const facts = [
    ...shown,
    ...complaints.slice(0, 1).flatMap(({ signal, caller }) => citeLine(caller, signal)),
    ...(inner === null ? [] : [inner]),
  ];
  return faultAt(view, {
    cause: inner === null ? cause : "internal-cert-only",
    summary: `The certificate that ${view.name} presents ${words[cause]}${inner === null ? "" : "; the public certificate is fine"}${complaints.length > 0 ? `, so ${complaints[0]?.caller.name} refuses to talk to it` : ""}`,
    facts,
    witnesses: [...(shown.length > 0 ? ["tls-probe"] : []), ...(complaints.length > 0 ? ["docker-logs"] : [])],
    weight: shown.length > 0 ? weight.proven + (inner === null ? 0 : 1) : weight.told + 5,
    advice: [
      cause === "cert-not-yet-valid"
        ? `Look whether the certificate of ${view.name} or the clock of the machine that made it was wrong, and issue it again.`
        : cause === "cert-wrong-name"
          ? `Issue a certificate for ${view.name} that names what its callers ask for, or let them ask for a name it has.`
          : `Renew the certificate of ${view.name} and reload it; check what should have renewed it.`,
    ],
  });
}

/** The asked-about service has a certificate of its own towards the public, and that one is in order. */
function publicFine(world: World, view: ContainerView): Fact | null {
  if (world.subjects.includes(view)) return null;
  for (const subject of world.subjects) {
    const good = handshakes(subject).find((probe) => problemOf(world, probe) === null);
    if (good !== undefined) return validity(subject, good);
  }
  return null;
}

/** The client does not trust the authority although the certificate itself is in its time: the client lacks it. */
function unknownAuthority(world: World, view: ContainerView): Finding[] {
  const own = view.signals.filter((signal) => signal.kind === "peer-cert-unknown-authority");
  const last = recentSignal(world, view, own);
  const specific = view.signals.some(
    (signal) => signal.kind !== "peer-cert-unknown-authority" && byKind[signal.kind] !== undefined,
  );
  if (last === null || specific) return [];
  // Some libraries close every refusal with "certificate verify failed"; alone it does not say why.
  const vague =
    !/issuer|self[- ]signed|unknown ca\b|unknown authority|SELF_SIGNED|VERIFY_LEAF|first certificate|PKIX|does not exist/i.test(
      last.line.text,
    );
  const peer = signalPeer(world, view, last);
  const server = peer?.resolution.kind === "container" ? peer.resolution.view : null;
  const probe = server === null ? undefined : handshakes(server)[0];
  if (server !== null && handshakes(server).some((entry) => problemOf(world, entry) !== null)) return [];
  if (vague && probe === undefined) return [];
  return [
    faultAt(view, {
      cause: "ca-unknown",
      summary: `${view.name} does not know the authority that signed the certificate of ${server?.name ?? peer?.name ?? "its peer"}; the certificate itself is in its time`,
      facts: [...citeLine(view, last), ...(probe === undefined || server === null ? [] : [validity(server, probe)])],
      witnesses: ["docker-logs", ...(probe === undefined ? [] : ["tls-probe"])],
      weight: probe === undefined ? weight.told + 2 : weight.proven,
      advice: [
        `Give ${view.name} the authority's certificate (its CA bundle or trust store); do not switch verification off.`,
      ],
    }),
  ];
}

/** The server's own log says that its key cannot be used. */
function ownKey(world: World, view: ContainerView): Finding[] {
  const kinds: { kind: SignalKind; cause: Cause; says: string; advice: string }[] = [
    {
      kind: "tls-key-mismatch",
      cause: "key-mismatch",
      says: "cannot use its private key: key and certificate do not belong together",
      advice:
        "Install the key and the certificate of the same issue together; openssl x509 -pubkey and openssl pkey -pubout must print the same key.",
    },
    {
      kind: "key-file-permissions",
      cause: "pg-key-perms",
      says: "refuses its private key file because others may read it",
      advice: "Set the key file to mode 0600 and to the owner of the server (0640 when root owns it).",
    },
  ];
  return kinds.flatMap(({ kind, cause, says, advice }) => {
    const last = view.signals.findLast((signal) => signal.kind === kind);
    const inspect = view.inspect?.value;
    if (last === undefined || inspect === undefined) return [];
    const down = !inspect.running || inspect.restarting || inspect.restartCount > 0;
    // In a restart loop the present run may not have come as far as the line yet.
    if (!isCurrent(world, view, last) || (!down && recentSignal(world, view, [last]) === null)) return [];
    return [
      faultAt(view, {
        cause,
        summary: `${view.name} ${says}`,
        facts: [
          ...citeLine(view, last),
          ...citeInspect(view, `State.Status=${inspect.status} State.ExitCode=${inspect.exitCode}`),
        ],
        witnesses: ["docker-logs", ...(down ? ["docker-inspect"] : [])],
        onsetMs: last.line.atMs,
        weight: down ? weight.proven + 1 : weight.told,
        advice: [advice],
      }),
    ];
  });
}

/** The host itself is so far off that a good certificate looks bad there. */
function isSkewed(world: World, view: ContainerView): boolean {
  return Math.abs(hostOf(world, view.host)?.clockOffsetMs ?? 0) > limits.clockSkewMs;
}

function validity(view: ContainerView, probe: Probe): Fact {
  const certificate = probe.value.certificate as NonNullable<Probe["value"]["certificate"]>;
  return cite(
    probe,
    `certificate on port ${probe.value.port}: ${certificate.subject}, valid from ${day(certificate.validFromMs)} to ${day(certificate.validToMs)}, issuer ${certificate.issuer}`,
    view.name,
  );
}

function presentedNames(view: ContainerView, probe: Probe): Fact {
  const certificate = probe.value.certificate;
  const names = certificate?.altNames.join(", ") || certificate?.subject || "no name";
  const own = namesOf(view).filter((name) => !isAddress(name));
  return cite(
    probe,
    `certificate on port ${probe.value.port} is for ${names}; the container answers to ${own.slice(0, 6).join(", ")}`,
    view.name,
  );
}

function day(atMs: number): string {
  return new Date(atMs).toISOString();
}
