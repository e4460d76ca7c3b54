const LEVELS = '▁▂▃▄▅▆▇█';

/**
 * Returns a line chart with one character per value, at most `width` characters. If there are more than `width` values,
 * they are sampled evenly, including the first and the last value. Values that are not finite leave a gap.
 */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.length <= width ? values : evenly(values, width);
  const finite = shown.filter(Number.isFinite);
  const low = Math.min(...finite);
  const range = Math.max(...finite) - low;
  return shown
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      const level = range === 0 ? 0 : Math.round(((value - low) / range) * (LEVELS.length - 1));
      return LEVELS[level];
    })
    .join('');
}

function evenly(values: readonly number[], count: number): number[] {
  if (count < 2) return values.slice(-1);
  return Array.from({ length: count }, (_, i) => {
    return values[Math.round((i * (values.length - 1)) / (count - 1))] ?? Number.NaN;
  });
}
