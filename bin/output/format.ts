import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import type { Spread } from '../../proto/gen/trawl/v1/types.ts';

/** Unix milliseconds as ISO 8601 in UTC; null for "not yet". */
export function isoTime(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}

/** Seconds between two times; null unless both have come. */
export function secondsBetween(fromMs: number, toMs: number): number | null {
  return fromMs === 0 || toMs === 0 ? null : (toMs - fromMs) / 1000;
}

/** `12.3s ago`; `-` for "not yet". */
export function agoText(ms: number, now: number): string {
  return ms === 0 ? '-' : `${formatSpan(now - ms)} ago`;
}

/** Digits of a standard deviation: of a few replicates, more would say nothing. */
const SD_DIGITS = 2;

/** `0.071888 ± 0.0012`: the mean and, where there are several values, their standard deviation. */
export function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '-';
  const mean = formatMetric(spread.mean);
  return spread.n < 2 ? mean : `${mean} ± ${Number(spread.std.toPrecision(SD_DIGITS))}`;
}
