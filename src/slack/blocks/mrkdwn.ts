/** What Slack makes of mrkdwn: its tree, its words, and whom it notifies. */
export {
  type MrkdwnNode,
  parseMrkdwn,
  textOf,
} from "./mrkdwn-parser.ts";
export { type Notification, notifications } from "./notifications.ts";
