import { homedir, userInfo } from "node:os";
import { Fault } from "../core/result.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** How Slack is reached. `local-room` when no Slack variable is set at all. */
export type SlackConfig =
  | { mode: "socket"; botToken: string; appToken: string; apiUrl: string | null }
  | { mode: "http"; botToken: string; signingSecret: string; apiUrl: string | null }
  | { mode: "local-room" };

export type DatabaseConfig = { kind: "sqlite"; path: string } | { kind: "postgres"; url: string };

export type LogLevel = (typeof logLevels)[number];
const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

const slackApi = "https://slack.com/api/";

/** The Slack variables, whole or not at all. Throws `Fault` config-invalid that says which one is missing. */
export function slackConfig(env: Env): SlackConfig {
  const botToken = value(env, "SLACK_BOT_TOKEN");
  const appToken = value(env, "SLACK_APP_TOKEN");
  const signingSecret = value(env, "SLACK_SIGNING_SECRET");
  const apiUrl = slackApiUrl(value(env, "SLACK_API_URL"));
  if (!botToken && !appToken && !signingSecret && !apiUrl) return { mode: "local-room" };
  if (!botToken)
    throw wrong(
      "SLACK_BOT_TOKEN is missing",
      "set it to the bot token (xoxb-…), or unset every SLACK_ variable to get the local room",
    );
  if (botToken.startsWith("xapp-"))
    throw wrong(
      "SLACK_BOT_TOKEN holds an app-level token",
      "that one belongs into SLACK_APP_TOKEN; the bot token starts with xoxb-",
    );
  if (appToken?.startsWith("xoxb-"))
    throw wrong(
      "SLACK_APP_TOKEN holds a bot token",
      "that one belongs into SLACK_BOT_TOKEN; the app-level token starts with xapp-",
    );
  if (appToken) return { mode: "socket", botToken, appToken, apiUrl };
  if (signingSecret) return { mode: "http", botToken, signingSecret, apiUrl };
  throw wrong(
    "SLACK_BOT_TOKEN is set, but neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is",
    "set SLACK_APP_TOKEN for socket mode, or SLACK_SIGNING_SECRET for HTTP mode",
  );
}

/** The token goes to whatever this names, so it must look like a Web API base. Null for Slack's own. */
function slackApiUrl(text: string | null): string | null {
  if (text === null) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  const path = url?.pathname.endsWith("/") ? url.pathname : `${url?.pathname}/`;
  if (!url || !/^https?:$/.test(url.protocol) || !path.endsWith("/api/") || url.search || url.hash || url.username) {
    throw wrong("SLACK_API_URL is not the base of a Web API", `it ends in /api/, as ${slackApi} does`);
  }
  const base = `${url.origin}${path}`;
  return base === slackApi ? null : base;
}

/** Whether a Web API base is reached over a network without encryption. */
export function isClearText(apiUrl: string): boolean {
  const { protocol, hostname } = new URL(apiUrl);
  return protocol === "http:" && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

export function databaseConfig(env: Env): DatabaseConfig {
  const text = value(env, "ROOM137_DATABASE_URL") ?? "file:./data/room137.db";
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return { kind: "postgres", url: text };
  const path = text.startsWith("file://")
    ? text.slice("file://".length)
    : text.startsWith("file:")
      ? text.slice("file:".length)
      : "";
  if (path !== "") return { kind: "sqlite", path };
  throw wrong(
    "ROOM137_DATABASE_URL is neither a file nor a Postgres address",
    "use file:<path> or postgres://user@host/database",
  );
}

export function listenConfig(env: Env): { port: number; address: string } {
  const port = Number(value(env, "PORT") ?? "1370");
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw wrong("PORT is not a port number", "use a number from 0 to 65535");
  return { port, address: value(env, "HOST") ?? "127.0.0.1" };
}

export function logLevel(env: Env): LogLevel {
  const text = value(env, "LOG_LEVEL") ?? "info";
  const level = logLevels.find((known) => known === text);
  if (!level) throw wrong("LOG_LEVEL is not a level", `use one of ${logLevels.join(", ")}`);
  return level;
}

/** Who and where we are: what hosts without a user or key fall back on. */
export function surroundings(env: Env): {
  home: string | null;
  userName: string | null;
  agentSocket: string | null;
  dockerHost: string | null;
} {
  return {
    home: value(env, "HOME") ?? homedir(),
    userName: value(env, "USER") ?? accountName(),
    agentSocket: value(env, "SSH_AUTH_SOCK"),
    dockerHost: value(env, "DOCKER_HOST"),
  };
}

/** Null where the user id has no entry in passwd, as in a container that runs as any number. */
export function accountName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

/** A variable set to nothing counts as not set: compose files write `${X:-}`. */
export function value(env: Env, name: string): string | null {
  const text = env[name]?.trim();
  return text ? text : null;
}

export function wrong(message: string, next: string): Fault {
  return new Fault("config-invalid", message, next);
}
