import type { Tickets } from "../transport/tickets.ts";
import { appMethods } from "./app.ts";
import { chatMethods } from "./chat.ts";
import { conversationMethods } from "./conversations.ts";
import { fileMethods } from "./files.ts";
import { markMethods } from "./marks.ts";
import type { Method } from "./method.ts";
import { streamMethods } from "./streams.ts";
import { userMethods } from "./users.ts";
import { viewMethods } from "./views.ts";

/** Every Web API method the room knows. */
export const createMethods = (tickets: Tickets): Record<string, Method> => ({
  ...appMethods(tickets),
  ...chatMethods,
  ...streamMethods,
  ...conversationMethods,
  ...userMethods,
  ...markMethods,
  ...viewMethods,
  ...fileMethods,
});
