/**
 * Times as the person who acts would read them: in their own zone, on the room's clock.
 *
 * @param {number} atMs
 * @param {string} timeZone
 */
export function clockTime(atMs, timeZone) {
  return format(timeZone, "clock", {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(atMs);
}

/**
 * @param {number} atMs
 * @param {string} timeZone
 */
export function clockTimeWithSeconds(atMs, timeZone) {
  return format(timeZone, "seconds", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(atMs);
}

/**
 * @param {number} atMs
 * @param {string} timeZone
 */
export function fullTime(atMs, timeZone) {
  return format(timeZone, "full", {
    dateStyle: "full",
    timeStyle: "long",
  }).format(atMs);
}

/**
 * A calendar day as a sortable key, `2026-11-21`.
 *
 * @param {number} atMs
 * @param {string} timeZone
 */
export function dayKey(atMs, timeZone) {
  const parts = Object.fromEntries(
    format(timeZone, "day", {
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
    })
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/**
 * "Today", "Yesterday", or the date in words.
 *
 * @param {number} atMs
 * @param {number} nowMs
 * @param {string} timeZone
 */
export function dayName(atMs, nowMs, timeZone) {
  const day = dayKey(atMs, timeZone);
  if (day === dayKey(nowMs, timeZone)) return "Today";
  if (day === dayKey(nowMs - DAY_MS, timeZone)) return "Yesterday";
  return format(timeZone, "name", {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
  }).format(atMs);
}

/**
 * "today at 14:03", as in the summary of a thread.
 *
 * @param {number} atMs
 * @param {number} nowMs
 * @param {string} timeZone
 */
export function dayAndTime(atMs, nowMs, timeZone) {
  const name = dayName(atMs, nowMs, timeZone);
  return `${/day$/.test(name) && !name.includes(" ") ? name.toLowerCase() : name} at ${clockTime(atMs, timeZone)}`;
}

/**
 * Milliseconds of a message's `ts`, which is seconds with six decimals in a string.
 *
 * @param {string} ts
 */
export function tsToMs(ts) {
  return Math.floor(Number(ts) * 1000);
}

/** @param {number} sizeBytes */
export function fileSize(sizeBytes) {
  if (sizeBytes < 1024) return `${sizeBytes} bytes`;
  if (sizeBytes < 1024 * 1024) return `${(sizeBytes / 1024).toFixed(1)} KiB`;
  return `${(sizeBytes / 1024 / 1024).toFixed(1)} MiB`;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Making an Intl.DateTimeFormat costs about a hundred times more than using one. @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {string} timeZone
 * @param {string} name
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(timeZone, name, options) {
  const key = `${timeZone}\n${name}`;
  let known = formats.get(key);
  if (!known) {
    known = new Intl.DateTimeFormat("en-GB", { ...options, timeZone });
    formats.set(key, known);
  }
  return known;
}
