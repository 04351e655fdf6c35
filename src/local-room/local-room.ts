import { ledgersOf } from "./control/reads.ts";
import { injectFault } from "./control/routes.ts";
import { emitEvent } from "./events.ts";
import { act, suggest } from "./interact/act.ts";
import { isRefusal } from "./interact/person.ts";
import { runCommand, runShortcut, say } from "./interact/speak.ts";
import { close, openHome, submit } from "./interact/submit.ts";
import { archive } from "./membership.ts";
import { messageJson } from "./message-json.ts";
import type { Buckets, Fault, JournalEntry, JsonObject, Ledgers, RateMode } from "./protocol.ts";
import type { Room } from "./room.ts";
import { type Attack, attack } from "./transport/attacks.ts";
import type { HttpTransport } from "./transport/http.ts";
import type { SocketTransport } from "./transport/socket.ts";
import type { World } from "./world.ts";

/** A running room, for the composition root and for tests. */
export interface LocalRoom {
  readonly url: string;
  /** Base of the Web API, ending in `/api/`. */
  readonly apiUrl: string;
  readonly botToken: string;
  readonly appToken: string;
  readonly signingSecret: string;
  readonly world: World;
  /** What people do, the same as over the control API. */
  people: People;
  journal(): JournalEntry[];
  ledgers(): Ledgers;
  buckets(): Buckets;
  setRateMode(mode: RateMode): void;
  /** The first message that matches, as soon as there is one. Waits for changes, not for time. */
  waitForMessage(matches: (message: JsonObject, channel: string) => boolean): Promise<JsonObject>;
  /** The first journal entry that matches, past or to come. */
  waitForEntry(matches: (entry: JournalEntry) => boolean): Promise<JournalEntry>;
  inject(fault: Fault): void;
  freeze(): void;
  advance(byMs: number): Promise<void>;
  /** Removes the app: its events, then every call is refused. */
  uninstall(): void;
  /** Every call is refused with `token_revoked` from here on. */
  revoke(): void;
  archiveChannel(channel: string, user: string): void;
  changeGroup(group: string, users: string[]): void;
  /** HTTP mode: what the app answers to a request that Slack would never send. */
  attack(kind: Attack): Promise<number | null>;
  verifyUrl(): Promise<boolean>;
  sslCheck(): Promise<number | null>;
  stop(): Promise<void>;
}

type Bound<F> = F extends (room: Room, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;
export interface People {
  say: Bound<typeof say>;
  command: Bound<typeof runCommand>;
  shortcut: Bound<typeof runShortcut>;
  act: Bound<typeof act>;
  suggest: Bound<typeof suggest>;
  submit: Bound<typeof submit>;
  close: Bound<typeof close>;
  openHome: Bound<typeof openHome>;
}

export function localRoomOf(room: Room, transport: SocketTransport | HttpTransport): LocalRoom {
  return {
    get url() {
      return room.url();
    },
    get apiUrl() {
      return `${room.url()}/api/`;
    },
    botToken: room.access.botToken,
    appToken: room.access.appToken,
    signingSecret: room.access.signingSecret,
    world: room.world,
    people: peopleOf(room),
    journal: () => room.journal.entries(),
    ledgers: () => ledgersOf(room),
    buckets: () => room.rate.buckets(),
    setRateMode: room.rate.setMode,
    waitForMessage: (matches) => waitForMessage(room, matches),
    waitForEntry: (matches) => waitForEntry(room, matches),
    inject(fault) {
      const answer = injectFault(room, fault);
      if (isRefusal(answer)) throw new Error(answer.message);
    },
    freeze: () => room.clock.setFrozen(true),
    advance: room.clock.advance,
    uninstall: () => uninstall(room),
    revoke() {
      room.access.state = "revoked";
    },
    archiveChannel(id, user) {
      const channel = room.world.channels.get(id);
      if (channel) archive(room, channel, user);
    },
    changeGroup: (id, users) => changeGroup(room, id, users),
    attack: (kind) => attack(room, transport, kind),
    verifyUrl: () => (transport.kind === "http" ? transport.verifyUrl() : Promise.resolve(false)),
    sslCheck: () => (transport.kind === "http" ? transport.sslCheck() : Promise.resolve(null)),
    async stop() {
      transport.stop();
      room.clock.stop();
    },
  };
}

function peopleOf(room: Room): People {
  return {
    say: (...rest) => say(room, ...rest),
    command: (...rest) => runCommand(room, ...rest),
    shortcut: (...rest) => runShortcut(room, ...rest),
    act: (...rest) => act(room, ...rest),
    suggest: (...rest) => suggest(room, ...rest),
    submit: (...rest) => submit(room, ...rest),
    close: (...rest) => close(room, ...rest),
    openHome: (...rest) => openHome(room, ...rest),
  };
}

function waitForMessage(room: Room, matches: (message: JsonObject, channel: string) => boolean): Promise<JsonObject> {
  const find = () => {
    for (const message of [...room.world.messages.values()].flat()) {
      const json = messageJson(room, message, { metadata: true });
      if (matches(json, message.channel)) return json;
    }
    return null;
  };
  return new Promise((resolve) => {
    const look = () => {
      const found = find();
      if (!found) return;
      stop();
      resolve(found);
    };
    const stop = room.journal.onChange(look);
    look();
  });
}

function waitForEntry(room: Room, matches: (entry: JournalEntry) => boolean): Promise<JournalEntry> {
  const past = room.journal.entries().find(matches);
  if (past) return Promise.resolve(past);
  return new Promise((resolve) => {
    const stop = room.journal.onEntry((entry) => {
      if (!matches(entry)) return;
      stop();
      resolve(entry);
    });
  });
}

function uninstall(room: Room): void {
  emitEvent(room, { type: "tokens_revoked", tokens: { oauth: [], bot: [room.world.botUserId] } });
  emitEvent(room, { type: "app_uninstalled" });
  room.access.state = "inactive";
}

function changeGroup(room: Room, id: string, users: string[]): void {
  const group = room.world.userGroups.get(id);
  if (!group) return;
  const added = users.filter((user) => !group.users.includes(user));
  const removed = group.users.filter((user) => !users.includes(user));
  group.users = [...users];
  const seconds = Math.floor(room.clock.nowMs() / 1000);
  emitEvent(room, {
    type: "subteam_members_changed",
    subteam_id: id,
    team_id: room.world.team.id,
    date_previous_update: seconds,
    date_update: seconds,
    added_users: added,
    added_users_count: added.length,
    removed_users: removed,
    removed_users_count: removed.length,
    event_ts: room.nextTs(),
  });
  room.journal.changed("channel");
}
