/** Digits that matter of a metric: more than a seed's noise, less than a column's room. */
const METRIC_DIGITS = 5;
const PLAIN_FROM = 1e-4;
const PLAIN_BELOW = 1e6;

/** A metric for a person: five significant digits, powers of ten outside 0.0001 to a million; no value is `-`. */
export function formatMetric(value: number | undefined): string {
  if (value === undefined) return '-';
  if (!Number.isFinite(value)) return String(value).toLowerCase();
  const size = Math.abs(value);
  if (value !== 0 && (size < PLAIN_FROM || size >= PLAIN_BELOW)) return value.toExponential(METRIC_DIGITS - 2);
  return value.toPrecision(METRIC_DIGITS);
}

/** `0.16840 ±0.0015`: the spread in two digits, and no finer than the mean beside it. */
export function formatSpread(mean: number, std: number): string {
  const shown = formatMetric(mean);
  const two = std.toPrecision(2);
  const decimals = /^-?\d+\.(\d+)$/.exec(shown)?.[1]?.length;
  if (decimals === undefined) return `${shown} ±${two}`;
  const finer = two.includes('e-') || (two.split('.')[1]?.length ?? 0) > decimals;
  return `${shown} ±${finer ? std.toFixed(decimals) : two}`;
}

/** A span of time in its two largest units: `0.4s`, `12.3s`, `2m03s`, `1h02m`, `3d04h`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  // 59.95 would round to "60.0s".
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}
