/**
 * Decides whether a line's values are a report at a step, a checkpoint, or log output. The functions in this file
 * perform no I/O. One `StepReader` per attempt keeps the state of earlier lines.
 */
import { MAX_ATTEMPT_METRIC_CHARACTERS, MAX_ATTEMPT_METRICS, MAX_METRICS } from '../../../../proto/limits.ts';
import type { LineObject } from './objects.ts';

const MAX_METRIC_NAME = 200;
const MAX_DEPTH = 8;

const STEP_KINDS = ['epoch', 'step'] as const;

/** A value that a line names as its step. */
interface StepValue {
  /** The name as the program writes it, such as `Epoch`. */
  readonly name: string;
  readonly kind: (typeof STEP_KINDS)[number];
  readonly value: unknown;
}

/**
 * The step of a line. `counted`: the line names a step, but the value is unreadable, such as null. The metrics of the
 * line then belong to the highest step so far, or to the next step if the highest step already has one of them.
 */
interface LineStep {
  readonly step: number | 'counted';
  /** The names of the values that give the step and are therefore not metrics. */
  readonly names: readonly string[];
}
const NUMERIC_TEXT = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*%?\s*$/;
const NON_FINITE_TEXT: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['+infinity', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
]);

export type Reading =
  /**
   * Log output. `ignored`: the line resembles a report, but has no metric, or has neither a step nor a known metric.
   */
  | { readonly kind: 'text'; readonly ignored: boolean }
  | {
      readonly kind: 'report';
      /** The step of the report: a finite number of at least 0. */
      readonly step: number;
      readonly metrics: ReadonlyMap<string, number>;
      /** The names of ignored values: values that are not numbers, have an invalid name, or exceed a limit. */
      readonly ignored: readonly string[];
    }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly path: string };

export interface StepReaderOptions {
  /** The sweep's ranking metric; undefined if the sweep names no metric. */
  readonly metric: string | undefined;
  /** The step after which the attempt resumes; default: 0. */
  readonly resumedFrom?: number;
}

export class StepReader {
  readonly #metric: string | undefined;
  /** The names of all metrics in the reports so far. */
  readonly #known = new Set<string>();
  #knownCharacters = 0;
  /** The names of the metrics in the reports of the highest step so far. */
  readonly #atLast = new Set<string>();
  /** The steps assigned to texts such as `1/10`, which contain a digit but are not numbers. */
  readonly #unreadable = new Map<string, number>();
  /**
   * The names of the numbers in earlier lines without a step. They are used only without a ranking metric: a later line
   * that repeats one of these names is a report.
   */
  readonly #candidates = new Set<string>();
  /** Whether any line so far had a numeric epoch. */
  #hasEpochs = false;
  #last: number;

  constructor({ metric, resumedFrom = 0 }: StepReaderOptions) {
    this.#metric = metric;
    this.#last = resumedFrom;
  }

  /** The highest step so far; before the first report, the step after which the attempt resumes. */
  get last(): number {
    return this.#last;
  }

  /**
   * Reads the values of a line.
   * @param areMetrics whether the sweep file declares these values as metrics, for example with the named groups of a
   * regular expression. If a line with declared metrics has no step, its metrics belong to the highest step so far,
   * or to the next step if the highest step already has one of them.
   */
  read(values: LineObject, areMetrics = false): Reading {
    const line = this.#stepOf(values);
    const checkpoint = values.get('checkpoint');
    if (typeof checkpoint === 'string') {
      return { kind: 'checkpoint', step: typeof line?.step === 'number' ? line.step : this.#last, path: checkpoint };
    }
    const { metrics, ignored } = this.#metricsOf(values, line?.names ?? []);
    if (metrics.size === 0) return { kind: 'text', ignored: line !== undefined && values.size > 1 };
    if (typeof line?.step === 'number') return this.#report(line.step, metrics, ignored);
    const belongsToAStep = areMetrics || line?.step === 'counted';
    if (belongsToAStep ? this.#repeats(metrics) : this.#continues(metrics)) {
      return this.#report(this.#last + 1, metrics, ignored);
    }
    return belongsToAStep ? this.#report(this.#last, metrics, ignored) : { kind: 'text', ignored: true };
  }

  /** Reads metrics of a known step. Every name is a metric, including `epoch` and `step`. */
  readAt(step: number, values: LineObject): Reading {
    if (!Number.isFinite(step) || step < 0) return { kind: 'text', ignored: true };
    const { metrics, ignored } = this.#metricsOf(values, []);
    return metrics.size === 0 ? { kind: 'text', ignored: true } : this.#report(step, metrics, ignored);
  }

  #report(step: number, metrics: ReadonlyMap<string, number>, ignored: readonly string[]): Reading {
    if (step > this.#last) this.#atLast.clear();
    this.#last = Math.max(this.#last, step);
    for (const name of metrics.keys()) {
      if (!this.#known.has(name)) this.#knownCharacters += name.length;
      this.#known.add(name);
      if (step === this.#last) this.#atLast.add(name);
    }
    return { kind: 'report', step, metrics, ignored };
  }

  /** Whether the highest step so far already has one of the metrics, or whether there is no report yet. */
  #repeats(metrics: ReadonlyMap<string, number>): boolean {
    return this.#known.size === 0 || [...metrics.keys()].some((name) => this.#atLast.has(name));
  }

  /** Whether a line without a step, but with these metrics, is the report of the next step. */
  #continues(metrics: ReadonlyMap<string, number>): boolean {
    const names = [...metrics.keys()];
    if (names.some((name) => name === this.#metric || this.#known.has(name))) return true;
    if (this.#metric !== undefined) return false;
    const repeated = names.some((name) => this.#candidates.has(name));
    for (const name of names) this.#candidates.add(name);
    return repeated;
  }

  #stepOf(values: LineObject): LineStep | undefined {
    const [first, second] = stepValuesOf(values, this.#metric);
    if (first === undefined) return undefined;
    const names = [first.name];
    const step = numberOf(first.value);
    if (isStep(step)) {
      if (first.kind === 'epoch') this.#hasEpochs = true;
      // Adding 0 converts -0 to 0.
      return { step: step + 0, names };
    }
    if (isNumbered(first.value)) return { step: this.#stepOfUnreadable(first.value), names };
    const other = numberOf(second?.value);
    if (second !== undefined && isStep(other) && !this.#hasEpochs)
      return { step: other, names: [...names, second.name] };
    return { step: 'counted', names };
  }

  /** Returns the metrics within the limits. The ranking metric is kept even if it comes last. */
  #metricsOf(values: LineObject, stepNames: readonly string[]) {
    const { numbers, ignored } = numbersOf(values, stepNames);
    const metrics = new Map<string, number>();
    const ranking = this.#metric === undefined ? undefined : numbers.get(this.#metric);
    if (this.#metric !== undefined && ranking !== undefined) metrics.set(this.#metric, ranking);
    let room = MAX_ATTEMPT_METRICS - this.#known.size;
    let characters = MAX_ATTEMPT_METRIC_CHARACTERS - this.#knownCharacters;
    for (const [name, number] of numbers) {
      if (metrics.has(name)) continue;
      const isKnown = this.#known.has(name);
      if (metrics.size < MAX_METRICS && (isKnown || (room > 0 && name.length <= characters))) {
        metrics.set(name, number);
        if (isKnown) continue;
        room -= 1;
        characters -= name.length;
      } else ignored.push(name);
    }
    return { metrics, ignored };
  }

  /** Returns the step assigned to the same text in an earlier line, or else the step after the highest step so far. */
  #stepOfUnreadable(text: string): number {
    const step = this.#unreadable.get(text) ?? this.#last + 1;
    if (this.#unreadable.size < 100_000) this.#unreadable.set(text, step);
    return step;
  }
}

/**
 * Returns the fields of a line that give its step, in order of precedence. Names are compared without regard to case and
 * surrounding spaces, but an exact match is preferred.
 * @param metric the ranking metric. A field with this name gives the step only if the name is exactly `epoch` or `step`
 */
function stepValuesOf(values: LineObject, metric?: string): StepValue[] {
  return STEP_KINDS.flatMap((kind) => {
    const isSimilar = (name: string) => name !== metric && name.trim().toLowerCase() === kind;
    const name = values.has(kind) ? kind : [...values.keys()].find(isSimilar);
    return name === undefined ? [] : [{ name, kind, value: values.get(name) }];
  });
}

/** Returns whether a line names its step. */
export function namesStep(values: LineObject): boolean {
  return stepValuesOf(values).length > 0;
}

function isStep(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value >= 0;
}

/** Returns whether a value is a text such as `1/10`, which contains a digit but is not a number. */
function isNumbered(value: unknown): value is string {
  return typeof value === 'string' && numberOf(value) === undefined && /\d/.test(value);
}

/**
 * Returns the value of a number or a numeric text. Returns NaN for null, because JSON writers replace NaN with null.
 * Returns undefined for everything else.
 */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value === null) return Number.NaN;
  if (typeof value !== 'string') return undefined;
  if (NUMERIC_TEXT.test(value)) return value.includes('%') ? Number.parseFloat(value) : Number(value);
  return NON_FINITE_TEXT.get(value.trim().toLowerCase());
}

function numbersOf(values: LineObject, stepNames: readonly string[]) {
  const numbers = new Map<string, number>();
  const ignored: string[] = [];
  const visit = (entries: Iterable<[string, unknown]>, prefix: string, depth: number) => {
    for (const [key, value] of entries) {
      if (prefix === '' && stepNames.includes(key)) continue;
      const name = `${prefix}${key}`;
      const inner = entriesOf(value);
      if (inner !== undefined && depth < MAX_DEPTH) visit(inner, `${name}.`, depth + 1);
      else {
        const number = numberOf(value);
        if (number === undefined || !isMetricName(name)) ignored.push(name);
        else numbers.set(name, number);
      }
    }
  };
  visit(values.entries(), '', 0);
  return { numbers, ignored };
}

function entriesOf(value: unknown): Iterable<[string, unknown]> | undefined {
  if (value instanceof Map) return value.entries();
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
}

/**
 * Returns whether the name is allowed for a metric. The name `__proto__` is excluded, because generated protobuf code
 * fills plain objects by assignment, which drops this key.
 */
function isMetricName(name: string): boolean {
  return name !== '' && name !== '__proto__' && name.length <= MAX_METRIC_NAME && !/\p{Cc}/u.test(name);
}
