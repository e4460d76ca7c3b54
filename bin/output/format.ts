/** Formats times, counts and means for tables and JSON. */
import { formatSpan } from '../../lib/text/duration.ts';
import { formatCount, formatMetric } from '../../lib/text/numbers.ts';
import type { Spread } from '../../proto/gen/trawl/v1/types.ts';

/** Formats Unix milliseconds as ISO 8601 in UTC. Returns null for 0, which stands for a time that is not known yet. */
export function isoTime(ms: number): string | null {
  const date = new Date(ms);
  // The store of an earlier version can contain invalid times from a wrong clock.
  return ms === 0 || Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/**
 * Returns the seconds between two times in milliseconds, or null if either is 0, which stands for a time that is not
 * known yet.
 */
export function secondsBetween(fromMs: number, toMs: number): number | null {
  return fromMs === 0 || toMs === 0 ? null : (toMs - fromMs) / 1000;
}

/** Formats a time as an age such as `12.3s ago`. Returns `-` for 0, which stands for a time that is not known yet. */
export function agoText(ms: number, now: number): string {
  return ms === 0 ? '-' : `${formatSpan(now - ms)} ago`;
}

/** Lists every count that is not zero, such as `3 succeeded, 1 failed`. */
export function countsText(counts: object | undefined): string {
  const some = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  return some.map(([state, count]) => `${formatCount(count)} ${state}`).join(', ');
}

/**
 * Formats a mean such as `0.071888 ± 0.0012`. The standard deviation has two significant digits, and is omitted for a
 * single value.
 */
export function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '-';
  const mean = formatMetric(spread.mean);
  return spread.n < 2 ? mean : `${mean} ± ${Number(spread.std.toPrecision(2))}`;
}
