import { createCompletion } from "./completion.js";
import { h, replaceKeepingFocus } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menu.js";

/**
 * The message box of a channel or a thread. What a person has typed is kept per place and person until it was accepted.
 *
 * @typedef {import("./room.js").Room} Room
 * @typedef {{ channel: string, threadTs?: string }} Where
 */

const MOST_ROWS = 10;

/**
 * @param {Room} room
 * @param {HTMLElement} holder
 * @param {{ id: string, where(): Where | null, label(): string }} options
 */
export function createComposer(room, holder, { id, where, label }) {
  /** @type {Map<string, string>} */
  const drafts = new Map();
  let draftKey = "";
  let sending = false;

  const input = h("textarea", {
    id,
    class: "composer-input",
    rows: "1",
    autocomplete: "off",
    "data-focus": id,
  });
  const hint = h("p", { class: "composer-hint", id: `${id}-hint` });
  const problem = h("div", {
    class: "composer-problem",
    role: "alert",
    hidden: true,
  });
  const send = h("button", { type: "submit", class: "send", "aria-label": "Send" }, icon("send"));
  const globals = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": "Shortcuts",
      title: "Shortcuts",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
    },
    icon("bolt"),
  );
  const also = h("input", { type: "checkbox", id: `${id}-also` });
  const alsoRow = h("label", { class: "also", for: `${id}-also` }, also, "Also send to the channel");
  const field = h("div", { class: "composer-field" }, input, h("div", { class: "composer-row" }, globals, hint, send));
  const form = h("form", { class: "composer" }, problem, field, alsoRow);
  const gate = h("div", { class: "gate" });
  const missingBot = h("div", { class: "gate" });
  holder.append(missingBot, form, gate);
  input.setAttribute("aria-describedby", hint.id);
  const completion = createCompletion(room, input, field);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (completion.takesKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && input.value === "") {
      const articles = holder.parentElement?.querySelectorAll("article");
      /** @type {HTMLElement | undefined} */ (articles?.[articles.length - 1])?.focus();
    }
  });
  input.addEventListener("input", () => {
    problem.hidden = true;
    grow();
  });
  globals.addEventListener("click", () =>
    openMenu(
      globals,
      "Shortcuts",
      room.state.shortcuts
        .filter(({ type }) => type === "global")
        .map((shortcut) => ({
          label: shortcut.name,
          hint: shortcut.description,
          run: () => report(room.send("shortcut", { callbackId: shortcut.callbackId })),
        })),
    ),
  );

  async function submit() {
    const place = where();
    const text = input.value.trim();
    if (!place || text === "" || sending) return;
    setSending(true);
    const answer = text.startsWith("/")
      ? await room.send("command", { ...place, text })
      : await room.send("message", {
          ...place,
          text,
          ...(place.threadTs && also.checked ? { alsoToChannel: true } : {}),
        });
    setSending(false);
    // The person may have gone elsewhere meanwhile: a refusal belongs to the place where the text was typed.
    const stillHere = draftKey === keyOf(place);
    if (answer.ok) {
      drafts.delete(keyOf(place));
      if (stillHere) input.value = "";
      also.checked = false;
      problem.hidden = true;
      grow();
      if (stillHere && answer.ts) room.sent(place, String(answer.ts));
    } else if (stillHere) showProblem(answer.message);
    else room.notice(answer.message);
  }

  /** @param {Promise<{ ok: boolean, message?: string }>} pending */
  async function report(pending) {
    const answer = await pending;
    if (!answer.ok) showProblem(answer.message ?? "");
  }

  /** @param {string} words */
  function showProblem(words) {
    problem.replaceChildren(words);
    problem.hidden = false;
  }

  /** @param {boolean} on */
  function setSending(on) {
    sending = on;
    form.setAttribute("aria-busy", String(on));
    form.classList.toggle("busy", on);
    grow();
  }

  function grow() {
    input.rows = Math.min(MOST_ROWS, input.value.split("\n").length);
    const command = room.state.commands.find((known) => input.value.startsWith(`${known.command} `));
    hint.textContent = sending
      ? "Sending…"
      : command?.usageHint
        ? `${command.command} ${command.usageHint}`
        : "Enter sends, Shift+Enter makes a new line, / for commands, @ for people";
    hint.classList.toggle("idle", !sending && !command?.usageHint);
    send.classList.toggle("ready", input.value.trim() !== "");
  }

  /** @param {Where} place */
  function keyOf(place) {
    return `${room.actor}/${place.channel}/${place.threadTs ?? ""}`;
  }

  return {
    draw() {
      const place = where();
      const channel = place && room.channel(place.channel);
      if (!place || !channel) {
        form.hidden = true;
        return;
      }
      const key = keyOf(place);
      if (key !== draftKey) {
        drafts.set(draftKey, input.value);
        draftKey = key;
        input.value = drafts.get(key) ?? "";
        problem.hidden = true;
      }
      const open = channel.isMember && !channel.archived;
      form.hidden = !open;
      alsoRow.hidden = !place.threadTs;
      globals.hidden = !room.state.shortcuts.some(({ type }) => type === "global");
      const name = channel.type === "im" ? channel.name : `#${channel.name}`;
      input.placeholder = label();
      input.setAttribute("aria-label", place.threadTs ? `Reply in the thread, ${name}` : `Message ${name}`);
      grow();
      drawGate(gate, gateWords(room, channel, name));
      drawGate(missingBot, open && !place.threadTs ? missingBotWords(room, channel, name) : null);
    },
    focus() {
      if (!form.hidden) input.focus();
    },
    /** @param {string} text */
    fill(text) {
      input.value = text;
      grow();
      input.focus();
    },
  };
}

/**
 * @typedef {{ words: string, verb: string | null, run(): void }} Gate
 * @param {HTMLElement} holder
 * @param {Gate | null} gate
 */
function drawGate(holder, gate) {
  holder.hidden = !gate;
  const key = gate ? gate.words : "";
  if (!gate || holder.dataset.words === key) return;
  holder.dataset.words = key;
  const button = gate.verb && h("button", { type: "button", class: "button", "data-focus": "gate" }, gate.verb);
  if (button) button.addEventListener("click", () => gate.run());
  const row = h("div", { class: "gate-row" }, h("p", {}, gate.words), button);
  const old = holder.firstElementChild;
  if (old instanceof HTMLElement) replaceKeepingFocus(old, row, undefined);
  else holder.append(row);
}

/**
 * @param {Room} room
 * @param {import("../protocol.ts").ChannelState} channel
 * @param {string} name
 * @returns {Gate | null}
 */
function gateWords(room, channel, name) {
  if (channel.archived)
    return {
      words: `${name} is archived. It can be read, nothing can be posted.`,
      verb: null,
      run() {},
    };
  if (channel.isMember) return null;
  return {
    words: `You are looking at ${name}. Join it to write.`,
    verb: `Join ${name}`,
    run: () => join(room, channel.id),
  };
}

/**
 * @param {Room} room
 * @param {import("../protocol.ts").ChannelState} channel
 * @param {string} name
 * @returns {Gate | null}
 */
function missingBotWords(room, channel, name) {
  if (channel.botIsMember || channel.type === "im") return null;
  const app = room.state.app;
  return {
    words: `${app.name} is not in ${name}: it can neither read nor post here.`,
    verb: `Add ${app.name}`,
    run: () => join(room, channel.id, app.botUserId),
  };
}

/**
 * @param {Room} room
 * @param {string} channel
 * @param {string} [user]
 */
async function join(room, channel, user) {
  const answer = await room.send("join", user ? { channel, user } : { channel });
  if (!answer.ok) room.notice(answer.message);
}
