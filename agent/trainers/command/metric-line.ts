/** What a line of a program's output tells: metrics, a checkpoint, or nothing for us. */
import { MAX_METRICS } from '../../../proto/metrics.ts';

/** What a program prints, one line an epoch; messages show it. */
export const EXAMPLE_LINE = '{"epoch": 1, "test_loss": 0.25}';
/** Characters of a metric's name. */
export const MAX_METRIC_NAME = 200;
/** The largest epoch: what the wire carries. */
const MAX_EPOCH = 2 ** 32 - 1;

export type LineMeaning =
  /** Of the program's own, for the log. */
  | { readonly kind: 'text' }
  | {
      readonly kind: 'metrics';
      /** Undefined: the one after the last. */
      readonly epoch: number | undefined;
      readonly metrics: Readonly<Record<string, number>>;
      /** Names of what is no number. */
      readonly ignored: readonly string[];
    }
  | { readonly kind: 'checkpoint'; readonly epoch: number | undefined; readonly path: string }
  /** Meant for us, and wrong. */
  | { readonly kind: 'wrong'; readonly message: string };

const TEXT: LineMeaning = { kind: 'text' };

/**
 * A line is ours when it is a JSON object that has an `epoch` or a `checkpoint`, or holds numbers only: what a program
 * logs in JSON for others to read is left alone.
 */
export function meaningOf(line: string): LineMeaning {
  const data = objectOf(line);
  if (data === undefined) return TEXT;
  const { epoch, checkpoint, ...rest } = data;
  const named = Object.hasOwn(data, 'epoch');
  if (typeof checkpoint === 'string') {
    if (named && !isEpoch(epoch)) return wrongEpoch(epoch);
    return { kind: 'checkpoint', epoch: isEpoch(epoch) ? epoch : undefined, path: checkpoint };
  }
  const entries = Object.entries(Object.hasOwn(data, 'checkpoint') ? { ...rest, checkpoint } : rest);
  const metrics = entries.filter(([name, value]) => isMetric(name, value));
  const ignored = entries.filter(([name, value]) => !isMetric(name, value)).map(([name]) => name);
  if (!named && (ignored.length > 0 || metrics.length === 0)) return TEXT;
  if (named && !isEpoch(epoch)) return wrongEpoch(epoch);
  if (metrics.length > MAX_METRICS) {
    return { kind: 'wrong', message: `a report may carry ${MAX_METRICS} metrics, this one has ${metrics.length}` };
  }
  const numbers = metrics.map(([name, value]) => [name, value === null ? Number.NaN : Number(value)] as const);
  return {
    kind: 'metrics',
    epoch: isEpoch(epoch) ? epoch : undefined,
    metrics: Object.fromEntries(numbers),
    ignored,
  };
}

function objectOf(line: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(line)) return undefined;
  try {
    const data: unknown = JSON.parse(withoutNonFinite(line));
    return typeof data === 'object' && data !== null ? { ...data } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Python writes NaN and Infinity, which JSON has not. They become null and a number past the largest, outside of text.
 * (JavaScript writes null for both.)
 */
function withoutNonFinite(line: string): string {
  if (!/NaN|Infinity/.test(line)) return line;
  return line.replaceAll(/"(?:[^"\\]|\\.)*"|\bNaN\b|\bInfinity\b/g, (token) => {
    if (token === 'NaN') return 'null';
    return token === 'Infinity' ? '1e999' : token;
  });
}

/** A null is a number that JSON cannot write. */
function isMetric(name: string, value: unknown): value is number | null {
  const takes = name !== '' && name.length <= MAX_METRIC_NAME && !/\p{Cc}/u.test(name) && !(name in Object.prototype);
  return takes && (typeof value === 'number' || value === null);
}

function isEpoch(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_EPOCH;
}

function wrongEpoch(epoch: unknown): LineMeaning {
  const zero = epoch === 0 ? '; a program that counts from 0 writes epoch + 1' : '';
  return { kind: 'wrong', message: `epoch: expected a whole number from 1 up, got ${JSON.stringify(epoch)}${zero}` };
}
