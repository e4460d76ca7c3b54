/** Durations as people write them: `500ms`, `90s`, `1h30m`, `2h`, `1d`. */

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The longest duration: what a timer holds, 24 days and 20 hours. */
export const MAX_DURATION_MS = 2 ** 31 - 1;

export const DURATION_PATTERN = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/** In milliseconds, rounded; undefined when the text is no duration or a longer one than MAX_DURATION_MS. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined;
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * MS_PER_UNIT[unit as keyof typeof MS_PER_UNIT];
  }
  const rounded = Math.round(total);
  return rounded <= MAX_DURATION_MS ? rounded : undefined;
}
