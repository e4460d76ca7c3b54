/** Parses and formats durations such as `500ms`, `90s`, `1h30m` and `1d`. */

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The longest delay of a timer in Node, in milliseconds: 24 days and 20 hours. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The syntax of a duration: one or more numbers, each followed by a unit. */
export const DURATION_PATTERN = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/**
 * Returns a duration in whole milliseconds, or undefined if the text is not a duration or exceeds the limit.
 * @param maxMs the limit in milliseconds; by default, the longest delay of a timer
 */
export function parseDuration(text: string, maxMs: number = MAX_TIMER_MS): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined;
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * MS_PER_UNIT[unit as keyof typeof MS_PER_UNIT];
  }
  const rounded = Math.round(total);
  return rounded <= maxMs ? rounded : undefined;
}

/**
 * Formats a duration. Durations below one minute are shown in seconds with one decimal. Longer durations are shown in
 * their two largest units: `0.4s`, `12.3s`, `2m03s`, `1h02m`, `3d04h`.
 */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  // The value 59.95 would otherwise be rounded to "60.0s".
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}
