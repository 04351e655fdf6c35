import { parse } from "yaml";
import { refusal, validateBlocks, validateMessage, validateView } from "../../slack/blocks/validate.ts";
import { blocksValidateChars, canvasBytes, statusLifetimeMs } from "../limits.ts";
import { isObject, manifestProblems } from "../manifest.ts";
import type { Tickets } from "../transport/tickets.ts";
import {
  type Answer,
  type Args,
  type Call,
  fail,
  invalidArguments,
  isFailure,
  type Method,
  ok,
  structured,
  text,
  validateOptions,
  visibleChannel,
  writableChannel,
} from "./method.ts";

/** Methods about the app, the team and things that are checked rather than posted. */
export function appMethods(tickets: Tickets): Record<string, Method> {
  return {
    "api.test": { tier: 4, scopes: [], token: "none", get: true, run: apiTest },
    "auth.test": { tier: "special", scopes: [], token: "any", get: true, run: authTest },
    "team.info": { tier: 3, scopes: ["team:read"], token: "bot", get: true, run: teamInfo },
    "apps.connections.open": { tier: 3, scopes: [], token: "app", run: (call) => openConnection(call, tickets) },
    "apps.manifest.validate": { tier: 3, scopes: [], token: "any", required: ["manifest"], run: validateManifest },
    "blocks.validate": { tier: "none", scopes: [], token: "bot", run: validateAny },
    "assistant.threads.setStatus": {
      tier: "special",
      scopes: ["chat:write", "assistant:write"],
      token: "bot",
      required: ["channel_id", "thread_ts"],
      run: setStatus,
    },
    "conversations.canvases.create": {
      tier: 2,
      scopes: ["canvases:write"],
      token: "bot",
      required: ["channel_id"],
      run: createCanvas,
    },
    "canvases.edit": {
      tier: 3,
      scopes: ["canvases:write"],
      token: "bot",
      required: ["canvas_id", "changes"],
      run: editCanvas,
    },
  };
}

function apiTest({ args }: Call): Answer {
  const error = text(args, "error");
  return error === null ? ok({ args: { ...args } }) : fail(error, { args: { ...args } });
}

function authTest({ room }: Call): Answer {
  const { world } = room;
  return ok({
    url: `${room.url()}/`,
    team: world.team.name,
    user: room.manifest.botName,
    team_id: world.team.id,
    user_id: world.botUserId,
    bot_id: world.botId,
    is_enterprise_install: false,
  });
}

function teamInfo({ room }: Call): Answer {
  const { id, name, domain } = room.world.team;
  return ok({ team: { id, name, domain, email_domain: "", icon: {}, url: `${room.url()}/` } });
}

function openConnection({ room }: Call, tickets: Tickets): Answer {
  if (!room.manifest.socketMode || room.delivery.kind !== "socket") return fail("not_allowed");
  const url = new URL("/link/", room.url().replace(/^http/, "ws"));
  url.searchParams.set("ticket", tickets.issue());
  url.searchParams.set("app_id", room.world.appId);
  return ok({ url: url.href });
}

function validateManifest({ args }: Call): Answer {
  let raw: unknown;
  try {
    raw = typeof args["manifest"] === "string" ? parse(args["manifest"]) : args["manifest"];
  } catch {
    return fail("invalid_manifest", { errors: [{ message: "must be YAML or JSON", pointer: "" }] });
  }
  const errors = manifestProblems(raw);
  return errors.length === 0 ? ok() : fail("invalid_manifest", { errors });
}

function validateAny({ room, args }: Call): Answer {
  const given = (["blocks", "message", "view"] as const).filter((name) => args[name] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1)
    return invalidArguments("must provide exactly one of `blocks`, `message` or `view`");
  const value = structured(args, kind);
  if (value === "malformed") return fail("invalid_json");
  if (JSON.stringify(value).length > blocksValidateChars) return fail("payload_too_large");
  const options = validateOptions(room);
  const violations = {
    blocks: () => validateBlocks(value, "message", options),
    message: () => validateMessage(value, options),
    view: () => validateView(value, options),
  }[kind]();
  if (violations.length === 0) return ok();
  const error = refusal(violations, kind === "view" ? "view" : "message")?.error ?? "invalid_blocks";
  return fail(error, {
    errors: violations.map(({ code, message, pointer, constraint }) => ({ code, message, pointer, constraint })),
  });
}

function setStatus({ room, args }: Call): Answer {
  const channel = writableChannel(room, text(args, "channel_id"));
  if (isFailure(channel)) return channel;
  const loading = structured(args, "loading_messages");
  if (loading !== undefined && (!Array.isArray(loading) || loading.length < 1 || loading.length > 10)) {
    return invalidArguments("no more than 10 items allowed [json-pointer:/loading_messages]");
  }
  const threadTs = text(args, "thread_ts") ?? "";
  channel.status.get(threadTs)?.cancel();
  channel.status.delete(threadTs);
  const status = text(args, "status");
  if (status !== null) {
    const cancel = room.clock.after(statusLifetimeMs, () => {
      channel.status.delete(threadTs);
      room.journal.changed("status", { channel: channel.id });
    });
    channel.status.set(threadTs, { text: status, cancel });
  }
  room.journal.changed("status", { channel: channel.id });
  return ok();
}

function createCanvas({ room, args }: Call): Answer {
  const channel = visibleChannel(room, text(args, "channel_id"));
  if (isFailure(channel)) return channel;
  if (channel.canvasId !== null) return fail("channel_canvas_already_exists");
  const markdown = markdownOf(args, "document_content");
  if (Buffer.byteLength(markdown) > canvasBytes) return fail("canvas_too_large");
  const id = room.random.id("F");
  room.world.canvases.set(id, { id, channel: channel.id, markdown });
  channel.canvasId = id;
  return ok({ canvas_id: id });
}

function editCanvas({ room, args }: Call): Answer {
  const canvas = room.world.canvases.get(text(args, "canvas_id") ?? "");
  if (!canvas) return fail("canvas_not_found");
  if (room.faults.on("canvasLocked")) return fail("canvas_editing_locked");
  const changes = structured(args, "changes");
  const [change] = Array.isArray(changes) ? changes : [];
  if (!Array.isArray(changes) || changes.length !== 1 || !isObject(change))
    return invalidArguments("must provide exactly 1 item [json-pointer:/changes]");
  const more = markdownOf(change, "document_content");
  const next = {
    insert_at_end: `${canvas.markdown}\n${more}`,
    insert_at_start: `${more}\n${canvas.markdown}`,
    replace: more,
  }[String(change["operation"])];
  if (next === undefined) return invalidArguments("unsupported operation [json-pointer:/changes/0/operation]");
  if (Buffer.byteLength(next) > canvasBytes) return fail("canvas_too_large");
  canvas.markdown = next;
  return ok();
}

function markdownOf(args: Args, name: string): string {
  const content = structured(args, name);
  return isObject(content) && typeof content["markdown"] === "string" ? content["markdown"] : "";
}
