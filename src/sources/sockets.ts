/** One row of `/proc/<pid>/net/tcp` or `tcp6`. */
export interface SocketRow {
  address: string;
  port: number;
  remoteAddress: string;
  remotePort: number;
  state: string;
  /** Bytes sent and not yet acknowledged. */
  sendQueueBytes?: number;
  /** How often the oldest of them was sent again without an answer. */
  retransmits?: number;
}

/** A row that is cut or of another shape is left out. IPv4 addresses inside IPv6 ones are written as IPv4. */
export function parseSockets(text: string): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) (.*)$/.exec(line);
    if (match === null) continue;
    const [, local = "", localPort = "", remote = "", remotePort = "", state = "", rest = ""] = match;
    const queues = /^([0-9A-F]{8}):[0-9A-F]{8} [0-9A-F]{2}:[0-9A-F]+ ([0-9A-F]{8})/.exec(rest);
    rows.push({
      address: addressOf(local),
      port: Number.parseInt(localPort, 16),
      remoteAddress: addressOf(remote),
      remotePort: Number.parseInt(remotePort, 16),
      state: states[Number.parseInt(state, 16)] ?? state,
      ...(queues === null
        ? {}
        : {
            sendQueueBytes: Number.parseInt(queues[1] ?? "0", 16),
            retransmits: Number.parseInt(queues[2] ?? "0", 16),
          }),
    });
  }
  return rows;
}

/** Numbered from 1 (include/net/tcp_states.h). */
const states = [
  undefined,
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
  "SYN_RECV",
];

/** Words of 32 bits in the host's byte order, which is little-endian on every platform Docker has. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return dotted(bytes);
  if (bytes.slice(0, 12).join("") === "00000000000000000000ffff".toUpperCase()) return dotted(bytes.slice(12));
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number.parseInt(`${bytes[index * 2] ?? "0"}${bytes[index * 2 + 1] ?? "0"}`, 16).toString(16),
  );
  return shortened(groups);
}

function dotted(bytes: string[]): string {
  return bytes.map((byte) => Number.parseInt(byte, 16)).join(".");
}

/** The longest run of zero groups becomes `::` (RFC 5952). */
function shortened(groups: string[]): string {
  const runs = groups.join(":").match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? [];
  const longest = runs.toSorted((a, b) => b.length - a.length)[0];
  if (longest === undefined) return groups.join(":");
  const whole = groups.join(":");
  const at = whole.indexOf(longest);
  return `${whole.slice(0, at)}::${whole.slice(at + longest.length).replace(/^:/, "")}`;
}
