import { createComposer } from "./composer.js";
import { byId, h } from "./dom.js";
import { createHome } from "./home.js";
import { icon } from "./icons.js";
import { createInspector } from "./inspector.js";
import { openMenu } from "./menu.js";
import { createMessageList } from "./message-list.js";
import { createModals } from "./modals.js";
import { avatar, nameOf } from "./people.js";
import { createRoom } from "./room.js";
import { createSidebar } from "./sidebar.js";
import { startTheme } from "./theme.js";
import { createThread } from "./thread.js";

/** Puts the page together. Every view is drawn from the room's state; none talks to another. */
const room = createRoom({
  draw: () => draw(),
  onInspect: () => inspector.touch(),
  reveal: (ts) => (room.thread && thread.reveal(ts)) || stream.reveal(ts),
  onThread: (open) => open && thread.focus(),
});

startTheme();
const sidebar = createSidebar(room);
const jump = byId("jump");
const stream = createMessageList(room, {
  list: byId("stream"),
  scroller: byId("stream-scroller"),
  inThread: false,
  onUnseen: (unseen) => {
    jump.hidden = !unseen;
  },
});
const composer = createComposer(room, byId("composer"), {
  id: "composer-input",
  where: () => (room.place === "home" ? null : { channel: room.place }),
  label: () => {
    const channel = room.channel(room.place);
    return channel ? `Message ${channel.type === "im" ? channel.name : `#${channel.name}`}` : "";
  },
});
const thread = createThread(room);
const home = createHome(room);
const modals = createModals(room);
const inspector = createInspector(room);
const actorButton = byId("actor");
const empty = emptyState();

byId("open-nav").append(icon("menu"));
byId("open-nav").addEventListener("click", () => room.show("nav"));
jump.prepend(icon("down"));
jump.addEventListener("click", () => stream.toEnd());
actorButton.addEventListener("click", chooseActor);
document.addEventListener("keydown", moveBetweenPanes);
byId("skip").addEventListener("click", (event) => {
  // Followed as a link it would become the address of a place.
  event.preventDefault();
  if (room.place === "home") byId("place-title").focus();
  else composer.focus();
});
document.addEventListener("click", (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest?.('a[href*="/archives/"]');
  if (
    !(link instanceof HTMLAnchorElement) ||
    link.origin !== location.origin ||
    event.defaultPrevented ||
    event.ctrlKey ||
    event.metaKey
  )
    return;
  event.preventDefault();
  room.goTo(link.href);
});

function draw() {
  const { state } = room;
  const atHome = room.place === "home";
  byId("workspace").textContent = state.team.name;
  sidebar.draw();
  drawPlace(atHome);
  byId("channel-view").hidden = atHome;
  byId("home-view").hidden = !atHome;
  if (atHome) home.draw();
  else {
    const messages = state.messages[room.place] ?? [];
    empty.hidden = messages.length > 0;
    stream.draw(`${room.actor}/${room.place}`, messages);
    composer.draw();
  }
  thread.draw();
  document.body.classList.toggle("with-thread", room.thread !== null);
  modals.draw();
  drawActor();
}

/** @param {boolean} atHome */
function drawPlace(atHome) {
  const { state } = room;
  const channel = room.channel(room.place);
  byId("place-title").textContent = atHome
    ? `${state.app.name} Home`
    : channel
      ? channel.type === "im"
        ? channel.name
        : `#${channel.name}`
      : "No channel";
  const count = channel?.members.length ?? 0;
  const kind = channel?.type === "private" ? "Private channel" : channel?.type === "im" ? "Direct message" : "";
  byId("place-topic").textContent = atHome
    ? "Open incidents, pending approvals and hosts"
    : [kind, channel?.type !== "im" && `${count} ${count === 1 ? "member" : "members"}`, channel?.topic]
        .filter(Boolean)
        .join(" · ");
  const { connections, transport, name } = state.app;
  const asleep = transport === "socket" && connections === 0;
  byId("place-actions").replaceChildren(
    ...(asleep ? [h("span", { class: "asleep", role: "status" }, `${name} is not connected`)] : []),
  );
}

function drawActor() {
  const { state } = room;
  const name = nameOf(state, room.actor);
  const key = `${room.actor}/${name}/${state.actorLocked}`;
  if (actorButton.dataset.key === key) return;
  actorButton.dataset.key = key;
  /** @type {HTMLButtonElement} */ (actorButton).disabled = state.actorLocked;
  actorButton.replaceChildren(
    avatar(state, room.actor, "small"),
    h("span", {}, h("span", { class: "actor-you" }, "You are: "), h("strong", {}, name)),
    state.actorLocked ? "" : h("span", { class: "actor-switch" }, "· switch"),
  );
}

function chooseActor() {
  const { state } = room;
  const people = state.users.filter((user) => !user.isBot && !user.deleted);
  openMenu(
    actorButton,
    "Act as",
    people.map((user) => ({
      label: user.displayName || user.name,
      hint: user.isGuest ? "guest" : user.tz,
      picture: avatar(state, user.id, "small"),
      checked: user.id === room.actor,
      run: () => {
        room.switchActor(user.id);
        room.announce(`You are now ${user.displayName || user.name}`);
      },
    })),
  );
}

/** What to type, where nothing has been said yet. The words can be clicked into the message box. */
function emptyState() {
  const examples = [
    ["/why-500 web", "find out why a service answers 500"],
    ["/hosts", "see which hosts are registered"],
    ["/room137 help", "see everything else"],
  ];
  const box = h(
    "div",
    { class: "empty", hidden: true },
    h("h2", {}, "Nothing has happened here yet"),
    h("p", {}, "Type a command in the box below, or take one of these:"),
    h(
      "ul",
      {},
      ...examples.map(([command = "", words]) => {
        const button = h("button", { type: "button", class: "example" }, h("code", {}, command));
        button.addEventListener("click", () => composer.fill(command));
        return h("li", {}, button, h("span", {}, words));
      }),
    ),
  );
  byId("stream-scroller").prepend(box);
  return box;
}

/** F6 walks through the panes, Shift+F6 back, as in Slack. @param {KeyboardEvent} event */
function moveBetweenPanes(event) {
  if (event.key !== "F6" || document.querySelector("dialog[open]")) return;
  const stops = [
    () => byId("nav").querySelector(".nav-item[aria-current]") ?? byId("nav").querySelector(".nav-item"),
    () => byId("stream").querySelector("article.active") ?? byId("place-title"),
    () => byId("composer-input"),
    () => (room.thread ? byId("thread").querySelector("article.active") : null),
    () => (room.thread ? byId("thread-input") : null),
    () => (byId("inspector").hidden ? null : byId("inspector-title")),
  ];
  const panes = [
    byId("nav"),
    byId("main"),
    byId("composer"),
    byId("thread"),
    byId("thread").querySelector(".compose"),
    byId("inspector"),
  ];
  const at = panes.findLastIndex((pane) => pane?.contains(document.activeElement));
  for (let step = 1; step <= stops.length; step++) {
    const to = (at + (event.shiftKey ? -step : step) + stops.length * 2) % stops.length;
    const target = stops[to]?.();
    if (!(target instanceof HTMLElement) || target.offsetParent === null) continue;
    event.preventDefault();
    return target.focus();
  }
}
