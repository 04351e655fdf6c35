import fc from "fast-check";
import {
  actions,
  bullets,
  container,
  context,
  fields,
  header,
  preformatted,
  richText,
  section,
  table,
  taskCard,
} from "../../../src/slack/blocks/build.ts";
import { button, confirm } from "../../../src/slack/blocks/build-elements.ts";
import { bold, code, data, dateTime, fmt, link } from "../../../src/slack/blocks/inline.ts";
import { type MessageBlock, message } from "../../../src/slack/blocks/message.ts";

/** 10,000 cases where there is time for them, 1,000 at a desk. */
export const runsIn = (env: NodeJS.ProcessEnv): number =>
  Number(env["ROOM137_FC_RUNS"] ?? (env["CI"] ? 10_000 : 1_000));
export const FC_RUNS = runsIn(process.env);

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

const makers: readonly ((text: string, other: string) => MessageBlock)[] = [
  (text) => header(text),
  (text, other) => section(fmt`Why: ${text} and ${bold(other)} in ${code(text)}`),
  (text, other) =>
    section(text, {
      accessory: button({ text: other, actionId: "a", label: text }),
    }),
  (text, other) =>
    fields([
      [text, other],
      ["State", data(text)],
      ["When", dateTime(0)],
    ]),
  (text, other) => context([text, other, fmt`see ${link("https://room.example/i/1", text)}`]),
  (text) => preformatted(text),
  (text, other) => richText([fmt`${text}: ${code(other)}`]),
  (text, other) => bullets([text, other]),
  (text, other) =>
    table(
      ["a", "b"],
      [
        [text, other],
        [other, text],
      ],
    ),
  (text, other) => container(text, [section(other), preformatted(text)]),
  (text, other) => taskCard({ id: "t", title: text, status: "complete", details: other }),
];

const block: fc.Arbitrary<MessageBlock> = fc
  .tuple(fc.constantFrom(...makers), evidenceText, evidenceText)
  .map(([make, text, other]) => make(text, other));

const approve = (text: string): MessageBlock =>
  actions([
    button({
      text: "Approve",
      actionId: "approve",
      value: "opaque",
      style: "primary",
      confirm: confirm({ title: text, text, confirm: "Approve", deny: "Back" }),
    }),
  ]);

/** A message as the bot builds one, with evidence in every place that takes text. */
export const anyMessage = fc
  .tuple(
    evidenceText,
    fc.oneof(
      { weight: 9, arbitrary: fc.array(block, { maxLength: 5 }) },
      { weight: 1, arbitrary: fc.array(block, { minLength: 45, maxLength: 60 }) },
    ),
    evidenceText,
  )
  .map(([text, blocks, other]) =>
    message({
      text: fmt`web is down: ${text}`,
      blocks: [...blocks, approve(other)],
    }),
  );
