import type { Spread } from '../../proto/gen/trawl/v1/types.ts';

/** The number of significant digits of a metric. */
const METRIC_DIGITS = 5;
const PLAIN_FROM = 1e-4;
const PLAIN_BELOW = 1e6;

/**
 * Formats a metric with five significant digits. If the absolute value is at least 1,000,000, or less than 0.0001 but
 * not 0, the text has an exponent and four significant digits. Returns `-` for undefined.
 */
export function formatMetric(value: number | undefined): string {
  if (value === undefined) return '-';
  if (!Number.isFinite(value)) return String(value).toLowerCase();
  const size = Math.abs(value);
  if (value !== 0 && (size < PLAIN_FROM || size >= PLAIN_BELOW)) return value.toExponential(METRIC_DIGITS - 2);
  return value.toPrecision(METRIC_DIGITS);
}

/**
 * Formats a mean and a standard deviation, such as `0.16840 ±0.0015`. The deviation has two significant digits. It has
 * at most as many decimals as the mean, unless the mean is shown as a whole number or with an exponent. If this limit
 * would round the deviation to zero, the deviation has one significant digit and an exponent. A deviation of exactly
 * zero is `±0`. A single value has no deviation. Returns `-` for undefined.
 */
export function formatSpread(spread: Spread | undefined): string {
  if (spread === undefined) return '-';
  const { mean, std, n } = spread;
  const shown = formatMetric(mean);
  if (n === 1) return shown;
  if (std === 0) return `${shown} ±0`;
  const two = std.toPrecision(2);
  const decimals = /^-?\d+\.(\d+)$/.exec(shown)?.[1]?.length;
  if (decimals === undefined) return `${shown} ±${two}`;
  const finer = two.includes('e-') || (two.split('.')[1]?.length ?? 0) > decimals;
  if (!finer) return `${shown} ±${two}`;
  const rounded = std.toFixed(decimals);
  return `${shown} ±${Number(rounded) === 0 ? std.toExponential(0) : rounded}`;
}

/**
 * Formats the value of a parameter, such as `0.5`, `1e-5` or `mnist`. If the absolute value is at least 10 million, or
 * less than 0.001 but not 0, the text has an exponent.
 */
export function formatParameter(value: unknown): string {
  if (typeof value !== 'number') return String(value);
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e7)) return String(Number(value.toPrecision(5)).toExponential());
  return String(Number(value.toPrecision(7)));
}

/** Formats a step. Whole numbers are exact; fractions are rounded, such as `0.33333`. */
export function formatStep(step: number): string {
  if (Number.isInteger(step)) return String(step);
  return String(Number(Math.abs(step) >= 0.1 ? step.toFixed(5) : step.toPrecision(5)));
}

let countFormat: Intl.NumberFormat | undefined;

/** Formats a count with separators, such as `1,234,567`. */
export function formatCount(count: number | bigint): string {
  // Created on demand, because the first formatter of a process takes 4 ms.
  countFormat ??= new Intl.NumberFormat('en');
  return countFormat.format(count);
}

/** Formats a count with its noun, such as `1 trial` or `2 trials`. */
export function countText(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
