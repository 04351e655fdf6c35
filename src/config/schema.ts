import { z } from "zod";
import { actionNames } from "../core/actions.ts";
import { limits } from "../core/limits.ts";
import { hostInputSchema } from "./hosts.ts";
import { parseDurationMs, parseSizeBytes } from "./units.ts";

const person = z.string().regex(/^[UW][A-Z0-9]{1,}$/, "must be a Slack user id (U… or W…)");
const personOrGroup = z
  .string()
  .regex(/^[UWS][A-Z0-9]{1,}$/, "must be a Slack user id (U… or W…) or user group id (S…)");
const quorum = z.int().min(1).max(20);

/** `*` and `?` as in a shell; matched against container names. */
const containerPattern = z.string().regex(/^[A-Za-z0-9_.*?-]{1,128}$/, "must be a container name, `*` and `?` allowed");

const durationMs = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== null && ms > 0) return ms;
  context.addIssue({ code: "custom", message: "must be a duration like 30m, 1h or 90s" });
  return z.NEVER;
});

const sizeBytes = z
  .union([z.string(), z.int().positive()], "must be a size like 8g or 512m")
  .transform((value, context) => {
    const bytes = parseSizeBytes(String(value));
    if (bytes !== null && bytes >= limits.minimumMemoryBytes) return bytes;
    context.addIssue({ code: "custom", message: "must be a size like 8g or 512m, and at least 6m" });
    return z.NEVER;
  });

const regexText = z
  .string()
  .max(500)
  .transform((text, context) => {
    try {
      new RegExp(text, "u");
    } catch (error) {
      context.addIssue({ code: "custom", message: `is not a regular expression: ${(error as Error).message}` });
      return z.NEVER;
    }
    // A group that repeats and holds a repetition can take exponential time on a hostile log line.
    if (/\([^()]*[+*}][^()]*\)\s*(?:[+*]|\{\d)/.test(text)) {
      context.addIssue({
        code: "custom",
        message: "repeats a group that itself repeats: this can take for ever on a hostile line",
      });
      return z.NEVER;
    }
    return text;
  });

const serviceSchema = z.strictObject({
  hosts: z.array(z.string()).min(1).optional(),
  container: z
    .string()
    .regex(
      /^([A-Za-z0-9][A-Za-z0-9_.-]*|[A-Za-z0-9_./-]+=[^\s]+)$/,
      "must be a container name or a label selector key=value",
    )
    .optional(),
  port: z.int().min(1).max(65_535).optional(),
  probes: z
    .array(
      z.strictObject({
        path: z.string().regex(/^\/[\x21-\x7e]*$/, "must be a path that starts with /"),
        expect: z.int().min(100).max(599).default(200),
      }),
    )
    .default([]),
  dependsOn: z.array(z.string()).default([]),
});

export const verbs = ["look", "note", "approve", "administer"] as const;

const ruleSchema = z.strictObject({
  who: z.array(personOrGroup).min(1),
  verbs: z.array(z.enum(verbs)).min(1),
  /** Host labels that all must match; left out: every host. */
  hosts: z.record(z.string(), z.string()).default({}),
  containers: z.array(containerPattern).min(1).default(["*"]),
  actions: z
    .array(z.enum(actionNames))
    .min(1)
    .default([...actionNames]),
  deny: z.boolean().default(false),
});

const approvalsSchema = z.strictObject({
  approvers: z.array(personOrGroup).default([]),
  quorum: quorum.default(1),
  quorumByRisk: z
    .strictObject({ low: quorum.optional(), medium: quorum.optional(), high: quorum.optional() })
    .default({}),
  allowSelfApproval: z.boolean().default(false),
  expiresAfter: durationMs.default(limits.planExpiresAfterMs),
  requireReason: z.boolean().default(false),
  rules: z.array(ruleSchema).default([]),
  breakGlass: z
    .strictObject({ enabled: z.boolean().default(false), users: z.array(person).default([]) })
    .default({ enabled: false, users: [] }),
});

const policySchema = z.strictObject({
  maxMemory: sizeBytes.optional(),
  maxHostMemoryPercent: z.number().min(1).max(100).default(80),
  protectedContainers: z.array(containerPattern).default([]),
});

/** The config file as written. `resolve` in config.ts turns it into `Config`. */
export const fileSchema = z.strictObject({
  hosts: z.array(hostInputSchema).default([]),
  services: z.record(z.string(), serviceSchema).default({}),
  channels: z
    .record(
      z.string().regex(/^[CGD][A-Z0-9]{2,}$/, "must be a Slack channel id (C…)"),
      z.strictObject({ hosts: z.array(z.string()) }),
    )
    .default({}),
  approvals: approvalsSchema.prefault({}),
  policy: policySchema.prefault({}),
  redaction: z.strictObject({ patterns: z.array(regexText).default([]) }).prefault({}),
  prometheus: z.strictObject({ url: z.url({ protocol: /^https?$/ }) }).optional(),
  recorder: z
    .strictObject({
      enabled: z.boolean().default(true),
      retentionHours: z
        .int()
        .min(1)
        .max(24 * 90)
        .default(48),
    })
    .prefault({}),
  /** Tokens of the local room by actor (`U…`), for scripts that act in it; left out: made at start. */
  localRoom: z.strictObject({ tokens: z.record(z.string(), z.string().min(16)).default({}) }).prefault({}),
});

export type ConfigFile = z.output<typeof fileSchema>;
