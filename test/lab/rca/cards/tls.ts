import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../processes.ts";
import type { Card, Truth } from "../card.ts";
import { PASSWORD, type Stage } from "../stage.ts";
import { callingWeb, callsFail, rootCause } from "./network.ts";
import { itemsFail } from "./stops.ts";

interface Certificates {
  /** Folder of this machine with ca.pem and, for each server, <name>.pem and <name>.key. */
  folder: string;
  issue(name: string, options?: { names?: string[]; days?: [number, number] }): Promise<void>;
}

/** A small authority made with openssl; validity is given in days from now, so that it can lie in the past. */
async function authority(stage: Stage): Promise<Certificates> {
  const folder = join(stage.lab.dir, "certs");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const at = (name: string) => join(folder, name);
  await run("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "30",
    "-subj",
    "/CN=Lab Authority",
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
  ]);
  writeFileSync(at("index.txt"), "");
  writeFileSync(at("index.txt.attr"), "unique_subject = no\n");
  writeFileSync(
    at("ca.conf"),
    `[ca]\ndefault_ca=own\n[own]\ndatabase=${at("index.txt")}\nnew_certs_dir=${folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n`,
  );
  return {
    folder,
    issue: async (name, { names = [name], days: [fromDays, toDays] = [-1, 30] } = {}) => {
      await run("openssl", [
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        `/CN=${names[0]}`,
        "-addext",
        `subjectAltName=${names.map((entry) => `DNS:${entry}`).join(",")}`,
        "-keyout",
        at(`${name}.key`),
        "-out",
        at(`${name}.csr`),
      ]);
      await run("openssl", [
        "ca",
        "-batch",
        "-notext",
        "-config",
        at("ca.conf"),
        "-cert",
        at("ca.pem"),
        "-keyfile",
        at("ca.key"),
        "-startdate",
        stamp(fromDays),
        "-enddate",
        stamp(toDays),
        "-in",
        at(`${name}.csr`),
        "-out",
        at(`${name}.pem`),
      ]);
    },
  };
}

function stamp(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
}

async function httpsApi(stage: Stage, certificates: Certificates, name: string): Promise<void> {
  await stage.nginx(
    name,
    `server { listen 443 ssl; ssl_certificate /certs/${name}.pem; ssl_certificate_key /certs/${name}.key; location / { return 200 "ok"; } }`,
    ["--volume", `${certificates.folder}:/certs:ro`],
  );
}

/** web trusts the lab's authority and calls api over HTTPS. */
async function trustingWeb(stage: Stage, certificates: Certificates): Promise<void> {
  await callingWeb(stage, `https://${stage.names.api}/`, {
    webArgs: ["--volume", `${certificates.folder}:/certs:ro`],
    webEnv: { SSL_CERT_FILE: "/certs/ca.pem", LOG_STYLE: stage.random.pick(["python", "plain"]) },
  });
}

async function badCertificate(
  stage: Stage,
  cause: Truth["causes"][number],
  options: Parameters<Certificates["issue"]>[1],
): Promise<Truth> {
  const { web, api } = stage.names;
  const certificates = await authority(stage);
  await certificates.issue(api, options);
  await httpsApi(stage, certificates, api);
  await trustingWeb(stage, certificates);
  return rootCause(web, cause, api, callsFail(stage));
}

export const tlsCards: readonly Card[] = [
  {
    id: "cert-expired",
    family: "H",
    about: "the certificate of an inner HTTPS service ended",
    inject: (stage) =>
      badCertificate(stage, "cert-expired", { names: [stage.names.api], days: [-60, -stage.random.between(1, 20)] }),
  },
  {
    id: "cert-expired-self",
    family: "H",
    about: "the certificate of the asked-about HTTPS service ended",
    async inject(stage) {
      const { edge } = stage.names;
      const certificates = await authority(stage);
      await certificates.issue(edge, { days: [-90, -1] });
      await httpsApi(stage, certificates, edge);
      return { ...rootCause(edge, "cert-expired", edge, running(stage, edge)), symptom: "any" };
    },
  },
  {
    id: "cert-expired-postgres",
    family: "H",
    about: "the database's certificate ended and web verifies it",
    async inject(stage) {
      const { web, db } = stage.names;
      const certificates = await authority(stage);
      await certificates.issue(db, { days: [-60, -2] });
      await postgresWithTls(stage, certificates, "0640");
      await stage.service(web, {
        env: {
          DATABASE_URL: `postgresql://app:${PASSWORD}@${db}:5432/shop?sslmode=verify-full&sslrootcert=/certs/ca.pem`,
          LOG_STYLE: "python",
          TRAFFIC_EVERY: "1",
        },
        args: ["--volume", `${certificates.folder}:/certs:ro`],
      });
      await stage.until("the database answers", async () =>
        (await stage.logs(db)).includes("ready to accept connections"),
      );
      return rootCause(web, "cert-expired", db, itemsFail(stage));
    },
  },
  {
    id: "cert-not-yet-valid",
    family: "H",
    about: "the certificate of an inner HTTPS service starts later",
    inject: (stage) => badCertificate(stage, "cert-not-yet-valid", { names: [stage.names.api], days: [1, 60] }),
  },
  {
    id: "cert-wrong-name",
    family: "H",
    about: "the certificate of an inner HTTPS service is for another name",
    inject: (stage) => badCertificate(stage, "cert-wrong-name", { names: ["old-name.example"] }),
  },
  {
    id: "ca-unknown",
    family: "H",
    about: "web does not have the authority's certificate",
    async inject(stage) {
      const { web, api } = stage.names;
      const certificates = await authority(stage);
      await certificates.issue(api);
      await httpsApi(stage, certificates, api);
      await callingWeb(stage, `https://${api}/`, { webEnv: { LOG_STYLE: "python" } });
      return rootCause(web, "ca-unknown", web, callsFail(stage));
    },
  },
  {
    id: "internal-cert-only",
    family: "H",
    about: "the public certificate is fine, the one between edge and api ended",
    async inject(stage) {
      const { edge, api } = stage.names;
      const certificates = await authority(stage);
      await certificates.issue(api, { days: [-60, -3] });
      await certificates.issue(edge);
      await httpsApi(stage, certificates, api);
      await stage.nginx(
        edge,
        `server { listen 443 ssl; listen 80; ssl_certificate /certs/${edge}.pem; ssl_certificate_key /certs/${edge}.key; location / { proxy_pass https://${api}; proxy_ssl_verify on; proxy_ssl_name ${api}; proxy_ssl_trusted_certificate /certs/ca.pem; } }`,
        ["--volume", `${certificates.folder}:/certs:ro`],
      );
      return rootCause(
        edge,
        "internal-cert-only",
        api,
        async () => ((await stage.get(edge, 80, "/"))?.status ?? 0) >= 500,
      );
    },
  },
  {
    id: "key-mismatch",
    family: "H",
    about: "nginx was given the key of another certificate",
    async inject(stage) {
      const { edge } = stage.names;
      const certificates = await authority(stage);
      await certificates.issue(edge);
      await certificates.issue("other");
      await run("cp", [join(certificates.folder, "other.key"), join(certificates.folder, `${edge}.key`)]);
      await httpsApi(stage, certificates, edge);
      const shows = async () => (await stage.inspect(edge)).State["Status"] === "exited";
      return rootCause(edge, "key-mismatch", edge, shows);
    },
  },
  {
    id: "pg-key-perms",
    family: "H",
    about: "the database's key file may be read by everybody",
    async inject(stage) {
      const { web, db } = stage.names;
      const certificates = await authority(stage);
      await certificates.issue(db);
      await postgresWithTls(stage, certificates, "0644");
      await stage.service(web, {
        env: { DATABASE_URL: `postgresql://app:${PASSWORD}@${db}:5432/shop`, TRAFFIC_EVERY: "1" },
      });
      const down = async () => (await stage.inspect(db)).State["Status"] === "exited";
      return rootCause(web, "pg-key-perms", db, async () => (await down()) && (await itemsFail(stage)()));
    },
  },
];

/** The server reads its key as postgres; root may own it when the group may read it and nobody else. */
async function postgresWithTls(stage: Stage, certificates: Certificates, mode: string): Promise<void> {
  const { db } = stage.names;
  const key = join(certificates.folder, `${db}.key`);
  await run("chmod", [mode, key]);
  const group = (
    await stage.lab.docker("run", "--rm", "room137/lab:latest", "id", "-g", "postgres").catch(() => "0")
  ).trim();
  await run("chown", [`0:${group}`, key]);
  await stage.postgres(db, {
    args: ["--volume", `${certificates.folder}:/certs:ro`],
    settings: ["ssl=on", `ssl_cert_file=/certs/${db}.pem`, `ssl_key_file=/certs/${db}.key`],
  });
}

function running(stage: Stage, name: string): () => Promise<boolean> {
  return async () => (await stage.inspect(name)).State["Status"] === "running";
}
