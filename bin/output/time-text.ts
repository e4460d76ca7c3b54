import { formatSpan } from '../../lib/text/numbers.ts';

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
