/**
 * Converts parameters of trials and configs to and from the wire, finds parameters that vary, and formats parameters.
 */

import type { Trial, ParameterValue as WireValue } from '../../proto/gen/trawl/v1/types.ts';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';
import { parameterValue } from '../../proto/values.ts';
import { ownValue } from './own-value.ts';

/**
 * The name of the column that shows the seed. The seed is not a parameter of the sweep file, but is shown like a
 * parameter.
 */
export const SEED = 'seed';

const PROTO = '__proto__';
/**
 * Replaces the key `__proto__` in parsed sweep files and on the wire, because generated code fills plain objects by
 * assignment, which drops this key.
 */
const PROTO_KEY = '\uf8ff__proto__';

/** Converts a parameter's name to its key in parsed sweep files and on the wire. */
export function parameterKey(name: string): string {
  return name === PROTO ? PROTO_KEY : name;
}

/** Converts a key of a parsed sweep file or of the wire to the parameter's name. */
export function parameterName(key: string): string {
  return key === PROTO_KEY ? PROTO : key;
}

/** The parameters of a trial or of a config. Only a trial has a seed. */
export type ParameterPoint = Pick<Trial, 'parameters'> & { readonly seed?: number };

export interface ParameterSplit {
  /**
   * The names of the parameters that differ between points, or that some points lack. The names are sorted, with `seed`
   * last.
   */
  readonly varying: readonly string[];
  /** The values of the constant parameters, by name. */
  readonly constant: Readonly<Record<string, ParameterValue>>;
}

/** Splits the parameters of the given points into varying and constant parameters. */
export function splitParameters(points: Iterable<ParameterPoint>): ParameterSplit {
  const first = new Map<string, ParameterValue>();
  const holders = new Map<string, number>();
  const differing = new Set<string>();
  const seeds = new Set<number>();
  let count = 0;
  for (const { parameters, seed } of points) {
    count++;
    if (seed !== undefined) seeds.add(seed);
    for (const [name, value] of Object.entries(fromWire(parameters))) {
      holders.set(name, (holders.get(name) ?? 0) + 1);
      if (!first.has(name)) first.set(name, value);
      else if (first.get(name) !== value) differing.add(name);
    }
  }
  const names = [...first.keys()].sort();
  const varies = (name: string) => differing.has(name) || holders.get(name) !== count;
  return {
    varying: [...names.filter(varies), ...(seeds.size > 1 ? [SEED] : [])],
    constant: Object.fromEntries([...first].filter(([name]) => !varies(name)).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/**
 * Returns `varying`, extended by the names of the parameters that vary because of the added trials. Parameters that are
 * not in `varying` are equal in all earlier trials, so it is enough to compare the added trials with one earlier trial.
 * @param reference one of the trials from which `varying` was computed
 */
export function extendVarying(
  varying: readonly string[],
  reference: Trial | undefined,
  added: readonly Trial[],
): readonly string[] {
  const addedVarying = splitParameters(reference === undefined ? added : [reference, ...added]).varying;
  if (addedVarying.every((name) => varying.includes(name))) return varying;
  const names = new Set([...varying, ...addedVarying]);
  const seed = names.delete(SEED);
  return [...[...names].sort(), ...(seed ? [SEED] : [])];
}

/**
 * With fewer points than this, no parameter counts as determined by another parameter, because a match could be a
 * coincidence.
 */
const MIN_ORDERED_POINTS = 8;

interface OrderedParameters {
  /** The parameters that no other parameter determines. */
  readonly own: readonly string[];
  /**
   * The parameters that other parameters determine. Example: `optimizer` determines `momentum` if `momentum` is always
   * 0.9 with the optimizer `sgd`, and does not exist with other optimizers.
   */
  readonly determined: readonly string[];
}

/**
 * Separates independent parameters from parameters that another parameter determines. Both lists keep the order of
 * `names`.
 */
export function determinedLast(points: readonly ParameterPoint[], names: readonly string[]): OrderedParameters {
  if (points.length < MIN_ORDERED_POINTS) return { own: names, determined: [] };
  const all = names.map((name) => levelsOf(points, name));
  // A parameter that some points lack determines nothing, because another parameter determines whether it exists.
  const causes = all.filter(({ complete }) => complete).sort((a, b) => b.count - a.count);
  const own = new Set<string>();
  for (const levels of [...causes, ...all.filter(({ complete }) => !complete)]) {
    if (!causes.some((cause) => own.has(cause.name) && determines(cause, levels))) own.add(levels.name);
  }
  return { own: names.filter((name) => own.has(name)), determined: names.filter((name) => !own.has(name)) };
}

interface Levels {
  readonly name: string;
  /** For each point, the index of its value among the different values. */
  readonly at: readonly number[];
  readonly count: number;
  /** Whether every point has the parameter. */
  readonly complete: boolean;
}

function levelsOf(points: readonly ParameterPoint[], name: string): Levels {
  const known = new Map<string, number>();
  const at = points.map((point) => {
    const text = parameterText(point, name);
    const level = known.get(text) ?? known.size;
    known.set(text, level);
    return level;
  });
  return { name, at, count: known.size, complete: !known.has('') };
}

/**
 * Whether points with equal values of `cause` have equal values of `other`. Returns false if the values of `cause`
 * rarely repeat, as in a random search.
 */
function determines(cause: Levels, other: Levels): boolean {
  if (cause.count * 2 > cause.at.length) return false;
  const levels = new Map<number, number>();
  return cause.at.every((level, i) => {
    const found = other.at[i] ?? 0;
    const known = levels.get(level) ?? found;
    levels.set(level, known);
    return known === found;
  });
}

/**
 * The maximum number of significant digits of a number that is displayed. Searches draw numbers such as
 * 0.00593746335990412, whose last digits do not matter to a reader.
 */
const SHOWN_DIGITS = 7;

/**
 * Formats one parameter of a point as text; empty if the point does not have the parameter. Numbers have at most seven
 * significant digits.
 */
export function parameterText({ parameters, seed }: ParameterPoint, name: string): string {
  const kind = ownValue(parameters, parameterKey(name))?.kind;
  if (kind === undefined) return name === SEED && seed !== undefined ? String(seed) : '';
  switch (kind.$case) {
    case 'number':
      return String(Number(kind.number.toPrecision(SHOWN_DIGITS)));
    case 'text':
      return kind.text;
    case 'flag':
      return String(kind.flag);
    case 'json':
      return kind.json;
  }
}

/** Formats the named parameters of a trial, such as `latent_dim=15 noise_std=0.5`. */
export function parametersText(trial: Trial, names: readonly string[]): string {
  return names.map((name) => `${name}=${parameterText(trial, name)}`).join(' ');
}

/** Converts parameters to their wire form. */
export function toWire(parameters: Parameters): Record<string, WireValue> {
  return Object.fromEntries(
    Object.entries(parameters).map(([written, value]): [string, WireValue] => {
      const name = parameterKey(written);
      // The store keeps parameters as JSON, and JSON.stringify writes -0 as 0.
      if (typeof value === 'number') return [name, { kind: { $case: 'number', number: value === 0 ? 0 : value } }];
      if (typeof value === 'string') return [name, { kind: { $case: 'text', text: value } }];
      if (typeof value === 'boolean') return [name, { kind: { $case: 'flag', flag: value } }];
      return [name, { kind: { $case: 'json', json: value.text } }];
    }),
  );
}

/**
 * Converts parameters from their wire form.
 * @throws {Error} if a value has no kind, because the peer has another version
 */
export function fromWire(parameters: Record<string, WireValue>): Parameters {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, { kind }]) => {
      const name = parameterName(key);
      switch (kind?.$case) {
        case 'number':
          return [name, kind.number];
        case 'text':
          return [name, kind.text];
        case 'flag':
          return [name, kind.flag];
        case 'json':
          return [name, parameterValue(JSON.parse(kind.json))];
        default:
          throw new Error(`parameter ${name} has no value on the wire`);
      }
    }),
  );
}
