/**
 * Every number the local room enforces, with its source. Sources: [D] Slack's documentation, [R] the method reference
 * of August 2026, [I] issue threads, [C] measured by third parties, [U] believed, not verified: the harsher choice.
 */
export const ackTimeoutMs = 3_000; // [D interactivity/handling-user-interaction]
export const triggerLifetimeMs = 3_000; // [D surfaces/modals]
export const responseUrlLifetimeMs = 30 * 60_000; // [D]
export const responseUrlUses = 5; // [D]
export const modalStackViews = 3; // [D surfaces/modals]
export const viewBytes = 250 * 1024; // [R] view_too_large

/** After a failed delivery: at once, after a minute, after five minutes. [D apis/events-api] */
export const eventRetryDelaysMs = [0, 60_000, 300_000] as const;
export const redirectsFollowed = 2; // [D apis/events-api]
/** More than 95 % failed deliveries in an hour switch event subscriptions off; Slack needs some traffic first. [D] */
export const autoDisableWindowMs = 60 * 60_000;
export const autoDisableFailureShare = 0.95;
export const autoDisableMinDeliveries = 20; // [U]

export const maxConnections = 10; // [D apis/events-api/using-socket-mode]
export const ticketLifetimeMs = 30_000; // [U]
export const pingIntervalMs = 15_000; // "every 10 to 30 seconds"
export const refreshWarningMs = 10_000; // [D] `warning` comes about ten seconds before
export const closeAfterRefreshMs = 10_000; // [U]
export const connectionLifetimeSeconds = 18_060; // "once every few hours"
/** Slack does not complete the TCP close (node-slack-sdk #2752). */
export const lingerMs = 5_000;

export const textRecommendedChars = 4_000; // [D chat.postMessage]
export const textTruncatedChars = 40_000; // [D chat.postMessage]
export const updateTextChars = 4_000; // [R chat.update msg_too_long]
export const ephemeralTextBytes = 4_000; // [D][R]
export const markdownTextChars = 12_000; // [D]
export const attachmentsFlagged = 20; // [D]
export const attachmentsMax = 100; // [D] too_many_attachments
/** The size is not published; this is far beyond an idempotency key. [U] */
export const metadataBytes = 8_000;
/** msg_blocks_too_long starts at about 13,200 counted characters; the harsher default is lower. [I bolt-js #2509] */
export const blocksTotalChars = 12_000;
export const topicChars = 250; // [R] too_long
export const channelNameChars = 80; // [R]
export const scheduleAheadSeconds = 120 * 24 * 3600; // [R] time_too_far
export const scheduledPerChannelPerFiveMinutes = 30; // [R] restricted_too_many
export const pinsPerChannel = 100; // [R] too_many_pins
export const reactionsPerMessage = 50; // [R] too_many_reactions: 23 per person, 50 distinct
export const bookmarkTitleChars = 256; // [R]
export const bookmarkLinkChars = 2_048; // [R]
export const snippetBytes = 1024 * 1024; // [R] snippet_too_large
export const altTextChars = 1_000; // [R] alt_txt_too_large
export const fileBytes = 64 * 1024 * 1024; // ours: memory of the stand-in
export const uploadTicketLifetimeMs = 10 * 60_000; // [U]
/** Sharing is asynchronous: the message shows up after the answer. [D files.completeUploadExternal] */
export const fileShareDelayMs = 400;
export const canvasBytes = 1024 * 1024; // [R] canvas_too_large
export const blocksValidateChars = 100_000; // [R blocks.validate]
export const pageDefault = 100; // [D] default of conversations.list
export const pageMax = 1_000; // [D]
export const historyNonMarketplace = 15; // [D changelog 2025-05-29]
export const statusLifetimeMs = 120_000; // [D assistant.threads.setStatus] cleared after two minutes

export const requestBodyBytes = 4 * 1024 * 1024; // ours
/** Triggers, response URLs and envelope ids remembered, so that a late use gets the right refusal. */
export const handlesKept = 20_000; // ours
export const journalEntries = 20_000; // ours: kept in memory, the file keeps all
export const postsPerMinuteLinted = 5;
export const ephemeralDecisionMs = 10 * 60_000;
/** Top-level messages of a channel in the page's state: a page with ten thousand would crawl. */
export const messagesShown = 1_200; // ours
export const sseKeepAliveMs = 15_000;

/** Calls per minute by tier [D apis/web-api/rate-limits]; only floors are published. */
export const tierPerMinute = { 1: 1, 2: 20, 3: 50, 4: 100, special: 200, none: Number.POSITIVE_INFINITY } as const;
export type Tier = keyof typeof tierPerMinute;
export const windowMs = 60_000;
export const postsPerSecondPerChannel = 1; // [D chat.postMessage]
export const postBurst = 5; // [U] "short bursts"
export const postsPerMinutePerWorkspace = 300; // [D] "several hundred messages per minute"
/** In burst mode Slack's real leniency above the floors. [U] */
export const burstFactor = 1.5;
export const nonMarketplacePerMinute = 1; // [D changelog 2025-05-29]
