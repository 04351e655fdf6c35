/** Seeded chance: the same forgeries in every run. */
export interface Chance {
  below(bound: number): number;
  pick<T>(from: readonly T[]): T;
  /** Text as nobody means it: control characters, mrkdwn, shell, paths, lone surrogates, long runs. */
  text(): string;
  /** The text with one to three characters changed, dropped, doubled or moved, or cut anywhere. */
  mutated(text: string): string;
}

const pieces = [
  "",
  "approve",
  "i-",
  "fleet",
  "$(reboot)",
  "`id`",
  "; rm -rf /",
  "../../etc/shadow",
  "<!channel>",
  "<@UBOB>",
  "|",
  ":",
  "\u0000",
  "\n",
  "\u202e",
  "\ud800",
  "__proto__",
  "0".repeat(64),
  "ÿ".repeat(300),
  "-1",
  "1e309",
];

export function chance(seed: number): Chance {
  let state = seed;
  const below = (bound: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const text = () => Array.from({ length: below(4) }, () => pick(pieces)).join(pick(["", " ", ":"]));
  const mutate = (text: string): string => {
    const at = below(text.length + 1);
    const [head, tail] = [text.slice(0, at), text.slice(at)];
    const other = String.fromCharCode(32 + below(95));
    return pick([
      head + other + tail.slice(1),
      head + tail.slice(1),
      head + other + tail,
      tail + head,
      head,
      head + head,
    ]);
  };
  return {
    below,
    pick,
    text,
    mutated: (given) => Array.from({ length: 1 + below(3) }).reduce<string>(mutate, given),
  };
}
