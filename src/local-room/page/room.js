import { follow, read, send } from "./api.js";
import { byId, h } from "./dom.js";
import { nameOf } from "./people.js";

/**
 * What the page knows and where it is: the server's last state, who acts, which channel and thread are shown. Views
 * read it and draw themselves; they never keep a copy.
 *
 * @typedef {import("../protocol.ts").RoomState} RoomState
 * @typedef {import("../protocol.ts").MessageState} MessageState
 * @typedef {import("../protocol.ts").ChannelState} ChannelState
 * @typedef {import("../protocol.ts").RoomChange} RoomChange
 * @typedef {ReturnType<typeof createRoom>} Room
 */

/** Changes arrive in bursts; one question for the new state answers all of them. */
const COALESCE_MS = 40;
const RETRY_MS = 500;
const ANNOUNCED_CHARS = 400;
const ACTOR_KEY = "room137.actor";
/** Changes that show nowhere but in the inspector. */
const INSPECTOR_ONLY = new Set(["call", "ledger", "fault"]);

/** @param {{ draw(): void, onInspect(): void, reveal(ts: string): void, onThread(open: boolean): void }} views */
export function createRoom(views) {
  /** @type {RoomState | null} */
  let state = null;
  let actor = new URLSearchParams(location.search).get("actor") ?? sessionStorage.getItem(ACTOR_KEY) ?? "";
  /** A channel id, or "home". */
  let place = "";
  /** @type {{ channel: string, ts: string } | null} */
  let thread = null;
  /** A message to show once its place has been drawn. */
  let wanted = "";
  let clockOffsetMs = 0;
  let firstRead = true;
  let reading = false;
  let readAgain = false;
  let connected = false;
  let wasLost = false;
  /** Newest message seen per person and channel. @type {Map<string, string>} */
  const seen = new Map();
  /** Where the focus was before a thread was opened. @type {HTMLElement | null} */
  let beforeThread = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const room = {
    get state() {
      if (!state) throw new Error("drawn before the first state");
      return state;
    },
    get ready() {
      return state !== null;
    },
    get actor() {
      return actor;
    },
    get place() {
      return place;
    },
    get thread() {
      return thread;
    },
    /** The zone of the person who acts; the browser's where theirs is not known to it. */
    get timeZone() {
      return zoneOf(state?.users.find((user) => user.id === actor)?.tz);
    },
    /** Now, on the room's clock. */
    nowMs: () => (state?.clockFrozen ? state.nowMs : Date.now() + clockOffsetMs),
    /** @param {string} id */
    channel: (id) => state?.channels.find((channel) => channel.id === id),
    /** @param {string} channel @param {string} ts @returns {MessageState | undefined} */
    message(channel, ts) {
      const messages = state?.messages[channel] ?? [];
      return (
        messages.find((each) => each.ts === ts) ??
        messages.flatMap((each) => each.replies).find((each) => each.ts === ts)
      );
    },
    /** @param {string} channel */
    unread(channel) {
      const since = seen.get(`${actor}/${channel}`) ?? "";
      return (state?.messages[channel] ?? []).filter((message) => message.ts > since && message.user !== actor).length;
    },
    /** @template {object} T @param {string} path @param {object} body */
    send: (path, body) =>
      /** @type {typeof send<T & { ts?: string, outcome?: string }>} */ (send)(path, { actor, ...body }),
    refresh,
    go,
    goTo,
    openThread,
    closeThread,
    switchActor,
    show,
    announce,
    notice,
    /** After one's own message: it is read, whoever wrote it. @param {{ channel: string }} where @param {string} ts */
    sent(where, ts) {
      seen.set(`${actor}/${where.channel}`, ts);
      refresh();
    },
  };

  const stream = follow({ actor: () => actor, onChange, onState });
  // Not only once the stream is there: a stream that is refused cannot say why, the state can.
  refresh();
  addEventListener("popstate", () => state && followAddress());
  addEventListener("visibilitychange", () => state && afterDraw());

  /** @param {RoomChange} change */
  function onChange(change) {
    views.onInspect();
    if (INSPECTOR_ONLY.has(change.kind) || (change.actor !== null && change.actor !== actor)) return;
    clearTimeout(timer);
    timer = setTimeout(refresh, COALESCE_MS);
  }

  /** @param {boolean} now */
  function onState(now) {
    connected = now;
    const banner = byId("banner");
    banner.hidden = connected;
    if (!connected) banner.textContent = "Connection to the local room lost. Reconnecting… What you see may be old.";
    byId("link-state").textContent = connected && wasLost ? "Connected again" : "";
    document.body.classList.toggle("offline", !connected);
    wasLost = !connected;
    if (connected) refresh();
  }

  async function refresh() {
    if (reading) {
      readAgain = true;
      return;
    }
    reading = true;
    readAgain = false;
    const asked = actor;
    const query = new URLSearchParams({ ...(asked && { actor: asked }), ...(firstRead && { reload: "1" }) });
    const { status, body } = await read(`state?${query}`);
    reading = false;
    if (asked === actor) accept(status, /** @type {RoomState | null} */ (body));
    else readAgain = true;
    if (readAgain) refresh();
  }

  /** @param {number} status @param {RoomState | null} next */
  function accept(status, next) {
    if (!next) {
      // The person kept from an earlier visit may not exist any more, or not be this token's: ask who it is.
      if (status === 403 && actor !== "") switchActor("");
      else if (status === 401 || status === 403) refuseAccess();
      else if (connected) timer = setTimeout(refresh, RETRY_MS);
      return;
    }
    const before = state;
    state = next;
    clockOffsetMs = next.nowMs - Date.now();
    firstRead = false;
    if (actor !== next.me) {
      actor = next.me;
      stream.restart();
    }
    sessionStorage.setItem(ACTOR_KEY, actor);
    if (before?.me !== actor) markAllSeen();
    if (place === "" || (place !== "home" && !room.channel(place))) followAddress();
    else draw();
    if (before && before.me === actor) announceNew(before, next);
  }

  function draw() {
    if (!state) return;
    views.draw();
    afterDraw();
  }

  function afterDraw() {
    if (!document.hidden && place !== "home") {
      const newest = state?.messages[place]?.at(-1)?.ts;
      if (newest && room.unread(place) > 0) {
        seen.set(`${actor}/${place}`, newest);
        views.draw();
      }
    }
    if (wanted !== "") {
      views.reveal(wanted);
      wanted = "";
    }
    const unread = (state?.channels ?? []).reduce((sum, channel) => sum + room.unread(channel.id), 0);
    const where = place === "home" ? "Home" : (room.channel(place)?.name ?? "");
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${where} · Local room, not Slack`;
  }

  function markAllSeen() {
    for (const channel of state?.channels ?? []) {
      const key = `${actor}/${channel.id}`;
      if (!seen.has(key)) seen.set(key, state?.messages[channel.id]?.at(-1)?.ts ?? "");
    }
  }

  /** @param {string} where */
  function go(where) {
    place = where;
    thread = null;
    if (where === "home") room.send("home-open", { tab: "home" });
    remember();
    show("main");
    draw();
    byId("place-title").focus({ preventScroll: true });
  }

  /** @param {string} channel @param {string} ts */
  function openThread(channel, ts) {
    beforeThread = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    place = channel;
    thread = { channel, ts };
    remember();
    show("thread");
    draw();
    views.onThread(true);
  }

  function closeThread() {
    const ts = thread?.ts;
    thread = null;
    remember();
    show("main");
    draw();
    if (beforeThread?.isConnected && beforeThread.offsetParent) beforeThread.focus();
    else if (ts)
      /** @type {HTMLElement | null} */ (document.querySelector(`#stream article[data-ts="${ts}"]`))?.focus();
    views.onThread(false);
  }

  /** Follows a link to a message, as "Copy link" makes them. @param {string} link */
  function goTo(link) {
    const match = /\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})/.exec(link);
    if (!match?.[1] || !room.channel(match[1])) return notice("That message is not in a channel you can see.");
    goToMessage(match[1], `${match[2]}.${match[3]}`);
  }

  /** @param {string} channel @param {string} ts */
  function goToMessage(channel, ts) {
    const parent = room.message(channel, ts)?.threadTs;
    place = channel;
    thread = parent && parent !== ts ? { channel, ts: parent } : null;
    wanted = ts;
    remember();
    show(thread ? "thread" : "main");
    draw();
  }

  /** `#home`, `#C…`, `#C…/<ts of a message>` as permalinks lead to, `#C…/thread/<ts of its parent>`. */
  function followAddress() {
    const [where = "", kind = "", parent] = decodeURIComponent(location.hash.slice(1)).split("/");
    const known = where === "home" || room.channel(where);
    place = known ? where : startPlace();
    thread = known && kind === "thread" && parent ? { channel: where, ts: parent } : null;
    if (known && /^[\d.]+$/.test(kind)) return goToMessage(where, kind);
    if (place === "home") room.send("home-open", { tab: "home" });
    show(thread ? "thread" : "main");
    draw();
  }

  /** Where the bot can hear: the first channel that both are in. */
  function startPlace() {
    const mine = (state?.channels ?? []).filter((channel) => channel.isMember && channel.type !== "im");
    return (mine.find((channel) => channel.botIsMember) ?? mine[0] ?? state?.channels[0])?.id ?? "home";
  }

  function remember() {
    const hash = `#${place}${thread ? `/thread/${thread.ts}` : ""}`;
    if (location.hash !== hash) history.pushState(null, "", `/${hash}`);
  }

  /** @param {string} next */
  function switchActor(next) {
    actor = next;
    thread = null;
    sessionStorage.setItem(ACTOR_KEY, next);
    stream.restart();
    refresh();
  }

  /** Which pane a phone shows. @param {"nav" | "main" | "thread"} view */
  function show(view) {
    document.body.dataset.view = view;
  }

  /** @param {RoomState} before @param {RoomState} after */
  function announceNew(before, after) {
    if (place === "home") return;
    const known = new Set(flat(before.messages[place]).map((message) => message.ts));
    for (const message of flat(after.messages[place])) {
      if (known.has(message.ts) || message.user === actor) continue;
      const text = plainText(String(message.raw.text ?? "")).slice(0, ANNOUNCED_CHARS);
      const reply = message.threadTs && message.threadTs !== message.ts ? " replied" : "";
      announce(`${nameOf(after, message.user)}${reply}: ${text}`);
    }
  }

  return room;
}

/** @param {MessageState[] | undefined} messages */
function flat(messages) {
  return (messages ?? []).flatMap((message) => [message, ...message.replies]);
}

/** Slack's escaped text as it is spoken. @param {string} text */
function plainText(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Speaks through the page's live region. @param {string} words */
function announce(words) {
  const region = byId("announcer");
  region.append(h("p", {}, words));
  while (region.childElementCount > 20) region.firstElementChild?.remove();
}

/** A sentence at the top of the page that the person puts away. @param {string} words */
function notice(words) {
  const close = h("button", { type: "button", class: "button" }, "Close");
  const box = h("div", { class: "notice", role: "alert" }, h("p", {}, words), close);
  close.addEventListener("click", () => box.remove());
  document.querySelector(".notice")?.remove();
  (document.querySelector("dialog[open]") ?? document.body).append(box);
}

function refuseAccess() {
  const banner = byId("banner");
  banner.textContent =
    "This room asks for an access token. Open it once with ?access=<your token> at the end of its address.";
  banner.hidden = false;
}

/** @param {string | undefined} zone */
function zoneOf(zone) {
  try {
    if (zone) return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    // A zone that this browser does not know.
  }
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
