/** Formats times, counts and means for tables and JSON. */
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import type { Spread } from '../../proto/gen/trawl/v1/types.ts';

/** Formats Unix milliseconds as ISO 8601 in UTC; null for 0, which means "not yet". */
export function isoTime(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}

/** Returns the seconds between two times; null if either is 0, which means "not yet". */
export function secondsBetween(fromMs: number, toMs: number): number | null {
  return fromMs === 0 || toMs === 0 ? null : (toMs - fromMs) / 1000;
}

/** `12.3s ago`; `-` for 0, which means "not yet". */
export function agoText(ms: number, now: number): string {
  return ms === 0 ? '-' : `${formatSpan(now - ms)} ago`;
}

/** `1,234,567` */
export const grouped = new Intl.NumberFormat('en').format;

/** `1 trial`, `2 trials` */
export const counted = (count: number, thing: string): string => `${grouped(count)} ${thing}${count === 1 ? '' : 's'}`;

/** `3 succeeded, 1 failed`: every count that is not zero. */
export function countsText(counts: object | undefined): string {
  const some = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  return some.map(([state, count]) => `${grouped(count)} ${state}`).join(', ');
}

/** `0.071888 ± 0.0012`: the mean and, for several values, the standard deviation with two significant digits. */
export function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '-';
  const mean = formatMetric(spread.mean);
  return spread.n < 2 ? mean : `${mean} ± ${Number(spread.std.toPrecision(2))}`;
}
