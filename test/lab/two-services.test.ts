import { createServer, request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replay } from "../../src/core/replay.ts";
import { systemClock } from "../../src/program.ts";
import type { Service } from "../../src/serve.ts";
import { type FakeHost, fakeHost } from "../fakes/fake-host.ts";
import { type Link, openLink } from "./broken-links.ts";
import { type Lab, labUnavailable, startLab } from "./lab.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";
import { eventually } from "./processes.ts";
import {
  approvers,
  asker,
  buttonIn,
  channel,
  expectedThread,
  listening,
  openSlack,
  shownThread,
  startOnFakeHost,
} from "./room-service.ts";

const unavailable = labUnavailable();
let lab: Lab;
let postgres: PostgresServer;

/** Two of everything that `npm start` starts, on one database, one Slack and one host. `noted` says who did what. */
interface Pair {
  slack: Awaited<ReturnType<typeof openSlack>>;
  services: Service[];
  host: FakeHost;
  noted: { looked: string[]; ran: string[] };
  /** From here on Slack's next deliveries go to that one. */
  deliverTo(at: 0 | 1): Promise<void>;
  deliverToBoth(): Promise<void>;
  close(): Promise<void>;
}

describe.skipIf(unavailable !== null)(
  `two whole services on one Postgres and one Slack${unavailable === null ? "" : `: ${unavailable}`}`,
  () => {
    beforeAll(async () => {
      lab = await startLab({ name: "replicas" });
      postgres = await startPostgres(lab, "services-db");
    });
    afterAll(async () => await lab?.stop());

    it.concurrent.each([
      ["socket mode", openOverSocket],
      ["HTTP mode", openOverHttp],
    ] as const)(
      "over %s take a command at one and the clicks at the other, run it once and say it once",
      async (_, open) => {
        const pair = await open();
        const { slack, services, host, noted } = pair;
        await pair.deliverTo(0);
        expect(await slack.room.people.command(asker, { channel, text: "/why-500 web" })).toMatchObject({ ok: true });
        const incidentId = await openedAt(services[1] as Service);
        await eventually(() => buttonIn(slack.room, "plan_approve") !== null, 30_000);
        expect(new Set(noted.looked)).toEqual(new Set(["replica-0"]));

        await pair.deliverTo(1);
        const button = buttonIn(slack.room, "plan_approve");
        if (button === null) throw new Error("there is no plan card");
        const press = (by: string) => slack.room.people.act(by, { ...button, confirmed: true });
        // Two approvers at once, one of them twice.
        const answers = await Promise.all([...approvers, approvers[0]].map(press));
        expect(answers.map((answer) => answer.ok)).toEqual([true, true, true]);
        await pair.deliverToBoth();
        const entriesAt = (at: 0 | 1) => (services[at] as Service).room.entries(incidentId);
        const whole = async () => {
          const entries = await entriesAt(0);
          const ended = replay(entries)?.state === "recovered";
          return (
            ended && JSON.stringify(shownThread(slack.room, incidentId)) === JSON.stringify(expectedThread(entries))
          );
        };
        const wholeInTime = await eventually(whole, 60_000);
        const entries = await entriesAt(1);
        const counted = (what: string) => Promise.all(services.map((service) => metricOf(service, what)));
        const decided = await counted('room137_decision_total{verb="approve",code="accepted"}');
        const opened = await counted('room137_incident_total{symptom="http-500"}');
        await Promise.all(services.map((service) => service.stop()));

        expect({ wholeInTime, thread: shownThread(slack.room, incidentId) }).toEqual({
          wholeInTime: true,
          thread: expectedThread(entries),
        });
        expect(host.effects.map((effect) => effect.action)).toEqual(["update-memory", "start"]);
        expect(noted.ran).toHaveLength(2);
        expect({ decisions: decided, incidents: opened }).toEqual({ decisions: [0, 1], incidents: [1, 0] });
        const count = (kind: string) => entries.filter((entry) => entry.body.kind === kind).length;
        expect(["opened", "decided", "step-done", "executed", "verified"].map(count)).toEqual([1, 1, 2, 1, 1]);
        const refused = entries.flatMap(({ body }) => (body.kind === "refused" ? [body.code] : []));
        expect(refused.every((code) => code === "already-decided" || code === "already-voted")).toBe(true);
        const threads = [...(slack.room.world.messages.get(channel) ?? [])].filter(
          (message) =>
            message.fromApp && (message.threadTs ?? message.ts) === message.ts && message.ephemeralFor === null,
        );
        expect(threads).toHaveLength(1);
        await pair.close();
      },
      120_000,
    );
  },
);

/** Both are connected over links of their own; whoever's link is cut for a moment gets no delivery. */
async function openOverSocket(): Promise<Pair> {
  const slack = await openSlack();
  const links: Link[] = [];
  const common = await commonOf();
  const connections = () => slack.room.journal().reduce((open, { kind, name }) => open + change(kind, name), 0);
  for (const at of [0, 1] as const) {
    const link = await openLink({ host: "127.0.0.1", port: slack.port });
    links.push(link);
    // The address of a socket comes from the room, so each replica connects while the room goes by its link's.
    slack.room.setUrl(`http://127.0.0.1:${link.port}`);
    common.services.push(await common.start(slack, at, slack.room.apiUrl));
    await eventually(() => connections() === 2 * (at + 1), 10_000);
  }
  slack.room.setUrl(`http://127.0.0.1:${slack.port}`);
  expect(connections()).toBe(4);
  return {
    slack,
    ...common,
    async deliverTo(at) {
      const other = links[1 - at] as Link;
      for (const link of links) if (link !== other) link.mend();
      await eventually(() => connections() === 4, 30_000);
      other.cut();
      await eventually(() => connections() === 2, 5_000);
    },
    async deliverToBoth() {
      for (const link of links) link.mend();
    },
    async close() {
      await Promise.all(links.map((link) => link.close()));
      await slack.close();
    },
  };
}

function change(kind: string, name: string): number {
  if (kind !== "connection") return 0;
  return name === "open" ? 1 : name === "closed" ? -1 : 0;
}

/** In front of both is what balances their load: one request here, the next one there, unless the test says where. */
async function openOverHttp(): Promise<Pair> {
  const common = await commonOf();
  let turn = 0;
  let only: 0 | 1 | null = null;
  const balancer = createServer((incoming, answer) => {
    const service = common.services[only ?? turn++ % 2];
    const onward = httpRequest(
      `${service?.url}${incoming.url}`,
      { method: incoming.method ?? "POST", headers: incoming.headers },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    onward.on("error", () => answer.destroy());
    incoming.pipe(onward);
  });
  const port = await listening(balancer);
  const slack = await openSlack({ transport: "http", appOrigin: `http://127.0.0.1:${port}` });
  for (const at of [0, 1] as const) common.services.push(await common.start(slack, at, slack.room.apiUrl, "http"));
  return {
    slack,
    ...common,
    async deliverTo(at) {
      only = at;
    },
    async deliverToBoth() {
      only = null;
    },
    async close() {
      balancer.closeAllConnections();
      await new Promise((resolve) => balancer.close(resolve));
      await slack.close();
    },
  };
}

async function commonOf() {
  const host = fakeHost(systemClock);
  const noted: Pair["noted"] = { looked: [], ran: [] };
  const databaseUrl = postgres.urlOf(await postgres.createDatabase());
  const services: Service[] = [];
  const start = (slack: Pair["slack"], at: 0 | 1, apiUrl: string, transport: "socket" | "http" = "socket") => {
    const name = `replica-${at}`;
    return startOnFakeHost({
      room: slack.room,
      apiUrl,
      databaseUrl,
      name,
      host,
      transport,
      onReads: () => noted.looked.push(name),
      aroundStep: (_, perform) => {
        noted.ran.push(name);
        return perform();
      },
    });
  };
  return { host, noted, services, start };
}

async function openedAt(service: Service): Promise<string> {
  let incidentId = "";
  await eventually(async () => {
    incidentId = (await service.room.status(null)).openIncidents[0]?.incidentId ?? "";
    return incidentId !== "";
  }, 10_000);
  return incidentId;
}

/** A counter as its own `/metrics` tells it. */
async function metricOf({ url }: Service, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
