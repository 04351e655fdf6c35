import type { ModalView } from "@slack/types";
import { z } from "zod";
import { isRefusal } from "../src/core/result.ts";
import { context, input } from "../src/slack/blocks/build.ts";
import { plainTextInput } from "../src/slack/blocks/build-elements.ts";
import { modal } from "../src/slack/blocks/build-views.ts";
import type { Asked } from "./asked.ts";
import { told } from "./help.ts";
import { type Form, inputAction, originText } from "./modals.ts";

export const hostFormId = "host_add";

const field = (blockId: string, label: string, options: { hint?: string; initial?: string; placeholder?: string }) =>
  input(
    label,
    plainTextInput({
      actionId: inputAction,
      maxLength: 1_000,
      ...(options.initial === undefined ? {} : { initial: options.initial }),
      ...(options.placeholder === undefined ? {} : { placeholder: options.placeholder }),
    }),
    { blockId, ...(options.hint === undefined ? {} : { hint: options.hint }) },
  );

export function hostModal(who: Pick<Asked, "channel" | "threadTs">): ModalView {
  return modal({
    title: "Add a host",
    callbackId: hostFormId,
    submit: "Add",
    metadata: originText(who),
    blocks: [
      field("name", "Name", { hint: "What people call it: letters, digits, dots and dashes.", placeholder: "prod-1" }),
      field("address", "Address", { placeholder: "10.0.0.5" }),
      field("port", "SSH port", { initial: "22" }),
      field("user", "User", { initial: "room137", hint: "May read the Docker socket; see the host set-up." }),
      field("hostKey", "Host key", {
        hint: "On the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. A fingerprint or the whole public key line.",
        placeholder: "SHA256:…",
      }),
      field("identityFile", "Key file", {
        hint: "A path on the machine that runs room137. Never paste a key here.",
        placeholder: "/etc/room137/inspect_ed25519",
      }),
      context(["The host key is compared before anything is sent. /hosts check tells afterwards what is missing."]),
    ],
  });
}

const schema = z.object({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/, "Letters, digits, dots and dashes, 63 at most."),
  address: z.string().regex(/^[A-Za-z0-9_.:-]{1,253}$/, "A host name or an IP address."),
  port: z.coerce.number().int().min(1, "1 to 65535.").max(65_535, "1 to 65535."),
  user: z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, "A user name on the host."),
  hostKey: z.string().min(1, "The fingerprint or public key of the host."),
  identityFile: z
    .string()
    .regex(/^\/[^\n]{1,500}$/, "The absolute path of a key file, not a key.")
    .refine((path) => !path.includes("PRIVATE KEY"), "The path of a key file, not the key itself."),
});

export const hostForm: Form<z.infer<typeof schema>> = {
  parse(typed) {
    const parsed = schema.safeParse(typed);
    if (parsed.success) return { parsed: parsed.data };
    const wrong = parsed.error.issues.map((issue) => [String(issue.path[0]), issue.message] as const);
    return { errors: Object.fromEntries(wrong.toReversed()) };
  },
  async act(host, who, deps) {
    const added = await deps.room.addHost(await who.person(), host);
    return isRefusal(added) ? added : told(added.said);
  },
};
