import { read } from "./api.js";
import { h } from "./dom.js";
import { fullTime } from "./time.js";

/**
 * The room's clock, and the bad days it can play: what Slack does when it is slow, full, restarting or gone.
 *
 * @typedef {import("../protocol.ts").Fault} Fault
 * @typedef {import("../protocol.ts").Faults} Faults
 * @typedef {import("./room.js").Room} Room
 */

const STEPS = /** @type {const} */ ([
  ["3 seconds", 3_000],
  ["1 minute", 60_000],
  ["10 minutes", 600_000],
  ["1 hour", 3_600_000],
]);

/** Faults of one method: name, words, and what they need beside method and times. */
const METHOD_FAULTS = /** @type {const} */ ([
  ["rate-limited", "Too many requests (429)", "retryAfterSeconds", "Retry-After, seconds", 3],
  ["http-error", "Server error", "status", "HTTP status", 503],
  ["api-error", "Refusal with an error code", "error", "Error code", "fatal_error"],
  ["lost-answer", "Done, but the answer is lost", null, "", ""],
  ["latency", "Slow answer", "delayMs", "Delay, ms", 2000],
]);

/** @type {readonly (readonly [string, Fault])[]} */
const ONE_CLICK = [
  ["Ask one connection to refresh", { kind: "disconnect", reason: "refresh_requested", connection: "one" }],
  ["Warn all connections", { kind: "disconnect", reason: "warning", connection: "all" }],
  ["Cut one connection", { kind: "drop-connections", connection: "one" }],
  ["Cut all connections", { kind: "drop-connections", connection: "all" }],
  ["Send the next 5 envelopes twice", { kind: "duplicate-envelopes", times: 5 }],
  ["Deliver while closing, 3 times", { kind: "deliver-during-close", times: 3 }],
  ["Events over the limit", { kind: "app-rate-limited" }],
  ["Malformed frame", { kind: "raw-frame", text: "null" }],
];

const SWITCH_WORDS = /** @type {const} */ ({
  oldExpiredTriggerShape: "Expired triggers answer in the old shape",
  staleClicks: "Clicks may come from an old copy of a message",
  imageDownloadsFail: "Images by address cannot be downloaded",
  altTextOnNonImagesHidesFile: "Alt text on other files hides them",
  planWithoutUserGroups: "Plan without user groups",
  editWindowClosed: "Messages can no longer be edited",
  lingerAfterClose: "Connections linger after the close handshake",
  canvasLocked: "Canvas is locked",
});

/** @param {Room} room */
export function createControls(room) {
  const now = h("p", { class: "panel-note" });
  const freeze = h("button", { type: "button", class: "button" });
  const active = h("ul", {
    class: "active-faults",
    "aria-label": "Faults in force",
  });
  const switches = h("div", { class: "switches" });
  const outage = h("input", { type: "checkbox", id: "fault-outage" });
  const clear = button("Clear all faults", () => fault({ kind: "clear" }));
  const element = h(
    "div",
    { class: "controls" },
    h("h3", {}, "Clock"),
    now,
    h(
      "div",
      { class: "button-row" },
      freeze,
      ...STEPS.map(([words, advanceMs]) => button(`+ ${words}`, () => clock({ advanceMs }))),
    ),
    h("h3", {}, "Faults in force"),
    active,
    h("div", { class: "button-row" }, clear),
    h("h3", {}, "Calls"),
    methodForm(),
    h(
      "label",
      { class: "also", for: "fault-outage" },
      outage,
      "Outage: nothing is answered, all connections are refused",
    ),
    h("h3", {}, "Connections and envelopes"),
    h("div", { class: "button-row" }, ...ONE_CLICK.map(([words, what]) => button(words, () => fault(what)))),
    h("h3", {}, "Switches"),
    switches,
  );
  freeze.addEventListener("click", () => clock({ frozen: !room.state.clockFrozen }));
  outage.addEventListener("change", () => fault({ kind: "outage", on: outage.checked }));

  function methodForm() {
    const kind = h(
      "select",
      { id: "fault-kind" },
      ...METHOD_FAULTS.map(([value, words]) => h("option", { value }, words)),
    );
    const method = h("input", {
      id: "fault-method",
      value: "chat.postMessage",
      autocomplete: "off",
      spellcheck: "false",
    });
    const times = h("input", {
      id: "fault-times",
      type: "number",
      min: "1",
      max: "1000",
      value: "1",
    });
    const extra = h("input", { id: "fault-extra", autocomplete: "off" });
    const extraLabel = h("label", { for: "fault-extra" });
    const extraField = h("div", { class: "control-field" }, extraLabel, extra);
    function drawExtra() {
      const [, , name, words, value] = METHOD_FAULTS[kind.selectedIndex] ?? METHOD_FAULTS[0];
      extraField.hidden = name === null;
      extraLabel.textContent = words;
      extra.value = String(value);
    }
    kind.addEventListener("change", drawExtra);
    drawExtra();
    const form = h(
      "form",
      { class: "fault-form" },
      h("div", { class: "control-field" }, h("label", { for: "fault-kind" }, "What happens"), kind),
      h("div", { class: "control-field" }, h("label", { for: "fault-method" }, "Method, or * for all"), method),
      h("div", { class: "control-field short" }, h("label", { for: "fault-times" }, "Times"), times),
      extraField,
      h("button", { type: "submit", class: "button" }, "Inject"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const [name, , field] = METHOD_FAULTS[kind.selectedIndex] ?? METHOD_FAULTS[0];
      const value = field === "error" ? extra.value.trim() : Number(extra.value);
      fault({
        kind: name,
        method: method.value.trim(),
        times: Number(times.value),
        ...(field ? { [field]: value } : {}),
      });
    });
    return form;
  }

  /** @param {object} what */
  async function fault(what) {
    const answer = await room.send("faults", what);
    if (!answer.ok) room.notice(answer.message);
    update();
  }

  /** @param {object} what */
  async function clock(what) {
    const answer = await room.send("clock", what);
    if (!answer.ok) room.notice(answer.message);
    await room.refresh();
    update();
  }

  async function update() {
    const { state } = room;
    now.textContent = `${fullTime(room.nowMs(), room.timeZone)}${state.clockFrozen ? ", frozen" : ""}`;
    freeze.textContent = state.clockFrozen ? "Let it run" : "Freeze";
    const faults = /** @type {Faults | null} */ ((await read("faults")).body);
    if (!faults) return;
    active.replaceChildren(
      ...(faults.active.length === 0
        ? [h("li", {}, "None")]
        : faults.active.map((each) => h("li", {}, h("code", {}, JSON.stringify(each))))),
    );
    outage.checked = faults.active.some((each) => each.kind === "outage" && each.on);
    if (switches.childElementCount === 0) switches.append(...Object.keys(faults.switches).map(switchRow));
    for (const input of switches.querySelectorAll("input"))
      input.checked = faults.switches[/** @type {keyof Faults["switches"]} */ (input.value)] === true;
  }

  /** @param {string} name */
  function switchRow(name) {
    const input = h("input", {
      type: "checkbox",
      id: `switch-${name}`,
      value: name,
    });
    input.addEventListener("change", () => fault({ kind: "switch", name, on: input.checked }));
    const words = SWITCH_WORDS[/** @type {keyof typeof SWITCH_WORDS} */ (name)] ?? name;
    return h("label", { class: "also", for: `switch-${name}` }, input, words);
  }

  return { element, update };
}

/**
 * @param {string} words
 * @param {() => void} run
 */
function button(words, run) {
  const made = h("button", { type: "button", class: "button" }, words);
  made.addEventListener("click", run);
  return made;
}
