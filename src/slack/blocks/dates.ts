/**
 * Slack's date tokens for one viewer (D messaging/formatting-message-text#date-formatting). Null when the time cannot
 * be shown, so that the caller uses the fallback.
 */
export function formatDate(
  seconds: number,
  format: string,
  viewer: { timeZone: string; nowMs: number },
): string | null {
  const atMs = seconds * 1_000;
  if (!Number.isFinite(atMs) || Math.abs(atMs) > LATEST_MS) return null;
  let understood = true;
  const shown = format.replace(/\{([a-z_]+)\}/g, (token, name: string) => {
    const text = tokenText(name, atMs, viewer);
    if (text === null) understood = false;
    return text ?? token;
  });
  return understood ? shown : null;
}

/** The last instant a Date can hold (ECMA-262, time values). */
const LATEST_MS = 8_640_000_000_000_000;

type Viewer = { readonly timeZone: string; readonly nowMs: number };

function tokenText(name: string, atMs: number, viewer: Viewer): string | null {
  switch (name) {
    case "date_num":
      return dayKey(atMs, viewer.timeZone);
    case "date_slash":
      return show(atMs, viewer, { day: "2-digit", month: "2-digit", year: "numeric" }, "en-GB");
    case "date_long":
      return show(atMs, viewer, {
        weekday: "long",
        month: "long",
        day: "numeric",
        year: "numeric",
      });
    case "date_long_full":
      return show(atMs, viewer, {
        month: "long",
        day: "numeric",
        year: "numeric",
      });
    case "date":
      return show(atMs, viewer, { month: "long", day: "numeric" });
    case "date_short":
      return show(atMs, viewer, {
        month: "short",
        day: "numeric",
        year: "numeric",
      });
    case "date_pretty":
    case "date_short_pretty":
    case "date_long_pretty":
    case "day_divider_pretty":
      return nearDay(atMs, viewer) ?? tokenText(PLAIN_FORM[name] as string, atMs, viewer);
    case "time":
      return show(atMs, viewer, {
        hour: "2-digit",
        minute: "2-digit",
        hourCycle: "h23",
      });
    case "time_secs":
      return show(atMs, viewer, {
        hour: "2-digit",
        minute: "2-digit",
        second: "2-digit",
        hourCycle: "h23",
      });
    case "ago":
      return ago(atMs, viewer.nowMs);
    default:
      return null;
  }
}

const PLAIN_FORM: Readonly<Record<string, string>> = {
  date_pretty: "date",
  date_short_pretty: "date_short",
  date_long_pretty: "date_long",
  day_divider_pretty: "date_long",
};

function show(atMs: number, viewer: Viewer, options: Intl.DateTimeFormatOptions, locale = "en-US"): string {
  return new Intl.DateTimeFormat(locale, {
    ...options,
    timeZone: viewer.timeZone,
  }).format(atMs);
}

/** Year, month and day as the viewer's calendar has them. */
function dayKey(atMs: number, timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  }).format(atMs);
}

const DAY_MS = 86_400_000;

function nearDay(atMs: number, { timeZone, nowMs }: Viewer): string | null {
  const day = dayKey(atMs, timeZone);
  if (day === dayKey(nowMs, timeZone)) return "today";
  if (day === dayKey(nowMs - DAY_MS, timeZone)) return "yesterday";
  return day === dayKey(nowMs + DAY_MS, timeZone) ? "tomorrow" : null;
}

function ago(atMs: number, nowMs: number): string {
  const seconds = Math.round((atMs - nowMs) / 1_000);
  const units: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
  ];
  const [unit, size] = units.find(([, one]) => Math.abs(seconds) >= one) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(Math.trunc(seconds / size), unit);
}
