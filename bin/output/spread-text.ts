import { formatMetric } from '../../lib/text/numbers.ts';
import type { Spread } from '../../proto/gen/trawl/v1/types.ts';

/** Digits of a standard deviation: of a few replicates, more would say nothing. */
const SD_DIGITS = 2;

/** `0.071888 ± 0.0012`: the mean and, where there are several values, their standard deviation. */
export function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '-';
  const mean = formatMetric(spread.mean);
  return spread.n < 2 ? mean : `${mean} ± ${Number(spread.std.toPrecision(SD_DIGITS))}`;
}
