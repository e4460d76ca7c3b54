/** Parses a line of a program's output: metrics, a checkpoint, or plain text. */
import { MAX_METRICS } from '../../../proto/limits.ts';

/** A valid report, for messages. */
export const EXAMPLE_LINE = '{"epoch": 1, "test_loss": 0.25}';
/** Maximum length of a metric's name in characters. */
const MAX_METRIC_NAME = 200;
/** The largest epoch that the protocol can represent. */
const MAX_EPOCH = 2 ** 32 - 1;

export type ParsedLine =
  /** Text for the log. */
  | { readonly kind: 'text' }
  | {
      readonly kind: 'metrics';
      /** Undefined: the epoch after the last reported one. */
      readonly epoch: number | undefined;
      readonly metrics: Readonly<Record<string, number>>;
      /** Names of the values that are not numbers. */
      readonly ignored: readonly string[];
    }
  | { readonly kind: 'checkpoint'; readonly epoch: number | undefined; readonly path: string }
  /** A report or checkpoint with an error. */
  | { readonly kind: 'invalid'; readonly message: string };

const TEXT: ParsedLine = { kind: 'text' };

/**
 * Parses one line. It is a report or a checkpoint when it is a JSON object that has an `epoch` or a `checkpoint`, or
 * contains only numbers. Other JSON is text, because programs also log JSON for other readers.
 */
export function parseLine(line: string): ParsedLine {
  const data = objectOf(line);
  if (data === undefined) return TEXT;
  const { epoch, checkpoint, ...rest } = data;
  const hasEpoch = Object.hasOwn(data, 'epoch');
  if (typeof checkpoint === 'string') {
    if (hasEpoch && !isEpoch(epoch)) return invalidEpoch(epoch);
    return { kind: 'checkpoint', epoch: isEpoch(epoch) ? epoch : undefined, path: checkpoint };
  }
  const entries = Object.entries(Object.hasOwn(data, 'checkpoint') ? { ...rest, checkpoint } : rest);
  const metrics = entries.filter(([name, value]) => isMetric(name, value));
  const ignored = entries.filter(([name, value]) => !isMetric(name, value)).map(([name]) => name);
  if (!hasEpoch && (ignored.length > 0 || metrics.length === 0)) return TEXT;
  if (hasEpoch && !isEpoch(epoch)) return invalidEpoch(epoch);
  if (metrics.length > MAX_METRICS) {
    return {
      kind: 'invalid',
      message: `a report can have up to ${MAX_METRICS} metrics, this one has ${metrics.length}`,
    };
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
 * Replaces the NaN and Infinity that Python writes, and that JSON lacks, with null and a number beyond the largest one.
 * Strings stay unchanged. (JavaScript writes null for both.)
 */
function withoutNonFinite(line: string): string {
  if (!/NaN|Infinity/.test(line)) return line;
  return line.replaceAll(/"(?:[^"\\]|\\.)*"|\bNaN\b|\bInfinity\b/g, (token) => {
    if (token === 'NaN') return 'null';
    return token === 'Infinity' ? '1e999' : token;
  });
}

/** Null stands for a number that JSON cannot represent. */
function isMetric(name: string, value: unknown): value is number | null {
  const isValidName =
    name !== '' && name.length <= MAX_METRIC_NAME && !/\p{Cc}/u.test(name) && !(name in Object.prototype);
  return isValidName && (typeof value === 'number' || value === null);
}

function isEpoch(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_EPOCH;
}

function invalidEpoch(epoch: unknown): ParsedLine {
  const hint = epoch === 0 ? ' (epochs are counted from 1)' : '';
  return { kind: 'invalid', message: `epoch must be a positive integer, got ${JSON.stringify(epoch)}${hint}` };
}
