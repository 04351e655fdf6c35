import fc from "fast-check";

/** 10,000 cases where there is time for them, 1,000 at a desk. */
export const FC_RUNS = Number(process.env["ROOM137_FC_RUNS"] ?? (process.env["CI"] ? 10_000 : 1_000));

const HOSTILE = [
  "<!channel>",
  "<!here>",
  "<!everyone|x>",
  "<!subteam^S0ABC>",
  "<@U0ABC>",
  "<#C0ABC>",
  "@here",
  " @channel ",
  "@everyone",
  "#general",
  "https://evil.example/x",
  "<https://evil.example|Approve>",
  "<!date^1^{date}|x>",
  "&lt;!here&gt;",
  "&amp;lt;!here&amp;gt;",
  "`",
  "```",
  "*bold*",
  "_i_",
  "~s~",
  "> quote",
  ":fire:",
  ":100:",
  "12:34:56",
  "\u001b[31m",
  "\u202e",
  "\u200b",
  "\0",
  "\ud800",
  "\udc00",
  "👩‍👩‍👧",
  "e\u0301\u0301",
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "javascript:alert(1)",
  "]]>",
  "-->",
  "\n",
  "\r\n",
  "\t",
  "|",
  "…",
];

/** Seldom: what takes cutting costs time. */
const LONG = fc.oneof(
  { weight: 7, arbitrary: fc.constant("") },
  { weight: 2, arbitrary: fc.constantFrom(...HOSTILE).map((piece) => piece.repeat(400)) },
  { weight: 1, arbitrary: fc.constantFrom("x".repeat(5_000), "a line of a log\n".repeat(200)) },
);

/** Anything a log may hold: control sequences of Slack, terminals and browsers, broken Unicode, and plain noise. */
export const evidenceText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...HOSTILE) },
      { weight: 3, arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }) },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
      { weight: 1, arbitrary: LONG },
    ),
    { maxLength: 6 },
  )
  .map((pieces) => pieces.join(""));
