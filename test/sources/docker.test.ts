import { describe, expect, it } from "vitest";
import type { Reading } from "../../src/core/evidence.ts";
import type { PlannedRead } from "../../src/core/reads.ts";
import type { RawReply } from "../../src/ports.ts";
import { completeSince, dockerEvents, parseEvents } from "../../src/sources/docker-events.ts";
import { dockerInfo } from "../../src/sources/docker-info.ts";
import { dockerInspect } from "../../src/sources/docker-inspect.ts";
import { dockerList } from "../../src/sources/docker-list.ts";
import { dockerLogs, parseLogs } from "../../src/sources/docker-logs.ts";
import { dockerNetworks } from "../../src/sources/docker-networks.ts";
import { dockerStats } from "../../src/sources/docker-stats.ts";
import { dockerTop, parseTop } from "../../src/sources/docker-top.ts";
import { context, dbId, fakeReader, noAnswer, recorded, recordedJson, reply } from "./recorded.ts";

const planned = { host: "h", containerId: dbId, args: null } as const;
const answering = (answer: RawReply) => fakeReader({ docker: () => answer });

function okValue<S extends Reading["source"]>(reading: Reading<S> | Reading<S>[]) {
  const { outcome } = [reading].flat()[0] as Reading<S>;
  if (outcome.status !== "ok") throw new Error(`not ok: ${JSON.stringify(outcome)}`);
  return outcome.value;
}

describe("reading the engine", () => {
  it("merges version and info, and tells Podman by its component", async () => {
    const answers = { version: recorded("version.json"), info: recorded("info.json") };
    const reader = fakeReader({ docker: ({ read }) => reply(answers[read as "version" | "info"]) });
    const read: PlannedRead<"docker-info"> = { ...planned, source: "docker-info" };
    expect(okValue(await dockerInfo.read(reader, read, context()))).toMatchObject({
      kind: "docker",
      major: 20,
      apiVersion: "1.41",
      cgroupVersion: 1,
      cgroupDriver: "cgroupfs",
      swapLimit: true,
    });
    const podman = { Version: "4.3.1", ApiVersion: "1.41", Components: [{ Name: "Podman Engine" }] };
    const other = fakeReader({
      docker: ({ read: which }) =>
        reply(which === "version" ? JSON.stringify(podman) : '{"message":"forbidden"}', which === "info" ? 403 : 200),
    });
    expect(okValue(await dockerInfo.read(other, read, context()))).toMatchObject({
      kind: "podman",
      major: 4,
      cpus: null,
    });
  });

  it("lists stopped containers too, and says empty for a host without any", async () => {
    const read: PlannedRead<"docker-list"> = { ...planned, containerId: null, source: "docker-list" };
    const list = okValue(await dockerList.read(answering(reply(recorded("list.json"))), read, context()));
    expect(list.map(({ name, status }) => `${name} ${status}`).toSorted()).toContain("web-old exited");
    expect(list.find(({ name }) => name === "web")?.ports).toContainEqual(
      expect.objectContaining({ containerPort: 8000, hostAddress: "127.0.0.1", protocol: "tcp" }),
    );
    const none = await dockerList.read(answering(reply("[]")), read, context());
    expect(none).toMatchObject({ outcome: { status: "empty" } });
  });

  it("inspects with secrets masked everywhere and learned for what is read later", async () => {
    const ctx = context();
    const read: PlannedRead<"docker-inspect"> = { ...planned, source: "docker-inspect" };
    const value = okValue(await dockerInspect.read(answering(reply(recorded("inspect-db.json"))), read, ctx));
    expect(value).toMatchObject({
      id: dbId,
      name: "db",
      status: "running",
      memoryLimitBytes: 268_435_456,
      memorySwapBytes: 268_435_456,
      finishedAtMs: null,
      restartPolicy: { name: "no" },
    });
    expect(value.networks[0]).toMatchObject({ name: "app", aliases: [dbId.slice(0, 12)] });
    expect(value.env).toContainEqual({ name: "POSTGRES_PASSWORD", value: "[redacted]", digest: expect.any(String) });
    const password = recordedJson("inspect-db.json")
      .Config.Env.find((pair: string) => pair.startsWith("POSTGRES_PASSWORD="))
      .split("=")[1];
    expect(JSON.stringify(value)).not.toContain(password);
    expect(ctx.redactor.text(`tried ${password}`)).toBe("tried [redacted]");
  });

  it.each([
    [reply('{"message":"No such container: x"}', 404), "not-found"],
    [reply("<html>denied</html>", 403), "permission-denied"],
    [reply('{"message":"broken password=hunter2"}', 500), "failed"],
    [reply("{", 200), "malformed"],
    [reply("{}", 200), "malformed"],
    [reply("{", 200, true), "too-large"],
    [noAnswer, "unreachable"],
  ])("turns a bad answer into a failed reading: %#", async (answer, code) => {
    const read: PlannedRead<"docker-inspect"> = { ...planned, source: "docker-inspect" };
    const reading = await dockerInspect.read(answering(answer), read, context());
    expect(reading).toMatchObject({ containerId: dbId, outcome: { status: "failed", code } });
    expect(JSON.stringify(reading)).not.toContain("hunter2");
  });

  it("reads one stats sample, and empty for a stopped container", async () => {
    const read: PlannedRead<"docker-stats"> = { ...planned, source: "docker-stats" };
    const sample = okValue(await dockerStats.read(answering(reply(recorded("stats-db.json"))), read, context()));
    expect(sample).toMatchObject({ limitBytes: 268_435_456, failcnt: 0, pidsLimit: null });
    expect(sample.usageBytes).toBe(recordedJson("stats-db.json").memory_stats.usage);
    const stopped = await dockerStats.read(answering(reply(recorded("stats-stopped.json"))), read, context());
    expect(stopped).toMatchObject({ outcome: { status: "empty" } });
  });

  it("reads processes in both forms of titles", async () => {
    const read: PlannedRead<"docker-top"> = { ...planned, source: "docker-top" };
    const rows = okValue(await dockerTop.read(answering(reply(recorded("top-db.json"))), read, context()));
    expect(rows).toContainEqual(
      expect.objectContaining({
        command: "postgres",
        args: "postgres: checkpointer",
        state: "S",
        waitChannel: "do_epoll_wait",
      }),
    );
    const plain = parseTop(recordedJson("top-default.json"));
    expect(plain).toContainEqual(
      expect.objectContaining({ command: "postgres", args: "postgres: checkpointer", state: null }),
    );
    expect(plain?.map(({ pid }) => pid)).toEqual(rows.map(({ pid }) => pid));
    const title = "postgres: app shop 172.18.0.5(52114) idle in transaction";
    expect(parseTop({ Titles: ["PID", "TIME", "CMD"], Processes: [["7", "01:02:03", title]] })).toMatchObject([
      { pid: 7, args: title, command: "postgres", cpuSeconds: 3_723, ppid: null },
    ]);
    const stopped = await dockerTop.read(answering(reply(recorded("top-stopped.json"), 409)), read, context());
    expect(stopped).toMatchObject({ outcome: { status: "empty" } });
  });

  it("adds the addresses of inspected networks, and forgives one that went away", async () => {
    const app = recordedJson("network-app.json");
    const reader = fakeReader({
      docker: (which) =>
        which.read === "networks"
          ? reply(recorded("networks.json"))
          : "id" in which && which.id === app.Id
            ? reply(recorded("network-app.json"))
            : reply('{"message":"network gone not found"}', 404),
    });
    const args = { inspectIds: [app.Id, "f".repeat(64)] };
    const read: PlannedRead<"docker-networks"> = { ...planned, containerId: null, source: "docker-networks", args };
    const networks = okValue(await dockerNetworks.read(reader, read, context()));
    const db = networks.find(({ name }) => name === "app")?.containers.find(({ id }) => id === dbId);
    expect(db).toMatchObject({
      name: "db",
      address: recordedJson("inspect-db.json").NetworkSettings.Networks.app.IPAddress,
    });
  });
});

describe("reading events", () => {
  const events = parseEvents(recorded("events.jsonl").toString("utf8"), context().redactor).events;

  it("keeps order and knows health checks", () => {
    expect(events.length).toBeGreaterThan(40);
    expect(events.map(({ atMs }) => atMs)).toEqual(events.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
    expect(events.some(({ type, action }) => type === "container" && action.startsWith("exec_start"))).toBe(true);
  });

  it("proves only what the engine cannot have forgotten", () => {
    const oldest = events[0]?.atMs ?? 0;
    const full = Array.from({ length: 256 }, (_, index) => ({ ...events[0], atMs: oldest + index })) as typeof events;
    expect(completeSince(full, 5, 10)).toBe(oldest);
    expect(completeSince(events, 5, 10)).toBe(10);
    expect(completeSince(events, 20, 10)).toBe(20);
    expect(completeSince(events, 5, null)).toBe(oldest);
    expect(completeSince([], 5, null)).toBeNull();
  });

  it("proves nothing when the answer was cut or a line is no event", async () => {
    const args = { sinceMs: 5, untilMs: 9, engineStartedAtMs: 6 };
    const read: PlannedRead<"docker-events"> = { ...planned, containerId: null, source: "docker-events", args };
    const cut = okValue(await dockerEvents.read(answering(reply('{"Action":"die","time":7}\n{"Act')), read, context()));
    expect(cut).toMatchObject({ completeSinceMs: null, events: [{ action: "die", atMs: 7_000 }] });
    const none = okValue(await dockerEvents.read(answering(reply("")), read, context()));
    expect(none).toMatchObject({ completeSinceMs: 6, events: [] });
  });
});

describe("reading logs", () => {
  const lines = (name: string) => parseLogs(recorded(name), 100, context()).lines;

  it("takes frames apart, joins split lines, bounds them and survives bytes that are no text", () => {
    const found = lines("logs-framed.bin");
    expect(found.map(({ stream }) => stream).toSorted()).toEqual(["stderr", "stdout", "stdout", "stdout", "stdout"]);
    const texts = found.filter(({ stream }) => stream === "stdout").map(({ text }) => text);
    expect(texts[0]).toBe("one");
    expect(texts[1]).toMatch(/^x{4096}… \[cut, \d+ bytes\]$/);
    expect(texts[2]).toBe("\ufffd\ufffd bad utf8");
    expect(texts[3]).toBe("password=[redacted]");
    expect(found.every(({ atMs }) => atMs !== null && atMs > Date.UTC(2020))).toBe(true);
  });

  it("reads a terminal's raw stream and makes its control characters harmless", () => {
    expect(lines("logs-tty.bin")).toMatchObject([
      { stream: "unknown", text: "red bell\ufffd" },
      { stream: "unknown", text: "plain" },
      { stream: "unknown", text: "prog 1%\ufffdprog 2%" },
    ]);
  });

  it("says when older lines may be missing, and asks for less when the newest were cut off", async () => {
    expect(parseLogs(recorded("logs-tty.bin"), 3, context()).truncated).toBe(true);
    expect(parseLogs(recorded("logs-tty.bin"), 4, context()).truncated).toBe(false);
    const asked: number[] = [];
    const reader = fakeReader({
      docker: (read) => {
        if (read.read === "logs") asked.push(read.tail);
        return reply(recorded("logs-tty.bin"), 200, asked.length === 1);
      },
    });
    const args = { tail: 320, sinceMs: null, untilMs: null };
    await dockerLogs.read(reader, { ...planned, source: "docker-logs", args }, context());
    expect(asked).toEqual([320, 20]);
  });

  it("survives a frame that claims more than there is", () => {
    const frame = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, ...Buffer.from("2026-01-01T00:00:00Z cut")]);
    expect(parseLogs(frame, 9, context()).lines).toEqual([{ atMs: Date.UTC(2026), stream: "stdout", text: "cut" }]);
  });
});
