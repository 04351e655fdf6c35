/**
 * Every Block Kit limit, once: builders cut to it, the validator refuses above it, the tests walk it.
 *
 * As of 2026-11. Sources: D = Slack's documentation, R = Slack's method reference (2026-08), T = comments in
 * @slack/types 3.2.0, I = issue thread, C = measured by third parties, U = believed. Lengths are UTF-16 units of the
 * escaped text: Slack says "characters" without saying which, and this is the larger number.
 */
export const LIMITS = {
  // Messages
  messageText: 40_000, // D chat.postMessage: truncated above, with warning message_truncated
  messageTextRecommended: 4_000, // D chat.postMessage; hard for chat.update (msg_too_long) and chat.postEphemeral, R
  markdownText: 12_000, // D chat.postMessage `markdown_text`
  messageBlocks: 50, // D reference/block-kit/blocks
  messageBudget: 12_000, // I bolt-js 2509, 2867: msg_blocks_too_long somewhere between 12,000 and 13,200
  messageBudgetMeasured: 13_200, // C
  messageBudgetBuilt: 11_000, // ours: what builders fill, with a margin below what is refused
  headerSurcharge: 100, // C: what one header block adds to the total besides its text
  attachments: 100, // D; above 20 is discouraged
  attachmentsRecommended: 20, // D
  // Views
  viewBlocks: 100, // D reference/block-kit/blocks
  viewBytes: 250_000, // R views.open: view_too_large above 250 KB
  viewTitle: 24, // T
  viewButton: 24, // T `submit` and `close`
  viewId: 255, // T `callback_id`, `external_id`
  privateMetadata: 3_000, // T
  // Everywhere
  blockId: 255, // T
  actionId: 255, // T
  text: 3_000, // T any text object
  url: 3_000, // T image and button URLs
  altText: 2_000, // T
  // Blocks
  sectionText: 3_000, // T
  sectionFields: 10, // T
  sectionField: 2_000, // T
  headerText: 150, // T
  contextElements: 10, // T
  contextActions: 5, // T
  actionsElements: 25, // T
  imageTitle: 2_000, // T
  inputLabel: 2_000, // T
  inputHint: 2_000, // T
  markdown: 12_000, // D: cumulative over the payload
  tableRows: 100, // T
  tableCells: 20, // T cells of one row
  tableColumnSettings: 20, // T
  tableCharacters: 10_000, // D over all cells
  dataTableRows: 101, // D, the header row included (one client library says 201)
  dataTableRowsMin: 2, // D
  dataTableColumns: 20, // D
  dataTablePageSize: 100, // D
  chartTitle: 50, // D
  chartSegments: 6, // D pie
  chartSeries: 6, // D bar, area, line; a third party enforces 12
  chartCategories: 20, // C
  chartLabel: 20, // C
  chartAxisLabel: 50, // C
  chartsPerMessage: 2, // D
  alertText: 200, // D
  cardTitle: 150, // T title and subtitle
  cardBody: 200, // T
  cardActions: 3, // C
  carouselCards: 10, // T
  containerBlocks: 10, // T
  containerTitle: 150, // T title and subtitle
  videoTitle: 199, // T "less than 200"
  videoAuthor: 49, // T "less than 50"
  // Elements
  buttonText: 75, // T, about 30 are shown
  buttonValue: 2_000, // T
  buttonLabel: 75, // T `accessibility_label`
  optionText: 75, // T
  optionValue: 75, // T; 150 has been seen too (U)
  optionDescription: 75, // T
  selectOptions: 100, // T, also per group
  optionGroups: 100, // T
  optionGroupLabel: 75, // T
  overflowOptions: 5, // T
  choiceOptions: 10, // T checkboxes and radio buttons
  placeholder: 150, // T
  inputLength: 3_000, // T `min_length` and `max_length`
  inputLines: 100, // T rich_text_input `min_lines`, `max_lines`
  fileInputFiles: 10, // T
  confirmTitle: 100, // T
  confirmText: 300, // T
  confirmButton: 30, // T `confirm` and `deny`
  richTextListIndent: 8, // T
} as const;

export type LimitName = keyof typeof LIMITS;
