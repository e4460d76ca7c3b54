import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { fromWire } from './wire-parameters.ts';

/** What replicates differ in. Not a parameter of a sweep file, but a column like one. */
export const SEED = 'seed';

/** A trial, or a config, which has no seed. */
export type Point = Pick<Trial, 'parameters'> & { readonly seed?: number };

export interface ParameterSplit {
  /** Names whose values differ between the points, or that only some have; `seed` last where it differs. */
  readonly varying: readonly string[];
  /** The rest, with the one value they have. */
  readonly constant: Readonly<Record<string, ParameterValue>>;
}

/** Which parameters tell the points apart. Names are in order of the alphabet. */
export function splitParameters(points: Iterable<Point>): ParameterSplit {
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
 * `varying` once more rows are known. A name varies among all trials if it does between any of them and one fixed
 * trial, so that rows that come in parts need no second look at the earlier ones.
 * @param reference any trial that `varying` was reckoned with
 */
export function extendVarying(
  varying: readonly string[],
  reference: Trial | undefined,
  added: readonly Trial[],
): readonly string[] {
  const more = splitParameters(reference === undefined ? added : [reference, ...added]).varying;
  if (more.every((name) => varying.includes(name))) return varying;
  const names = new Set([...varying, ...more]);
  const seed = names.delete(SEED);
  return [...[...names].sort(), ...(seed ? [SEED] : [])];
}

/** One parameter of a point as text; empty where it does not have it. */
export function parameterText({ parameters, seed }: Point, name: string): string {
  const kind = parameters[name]?.kind;
  if (kind === undefined) return name === SEED && seed !== undefined ? String(seed) : '';
  switch (kind.$case) {
    case 'number':
      return String(kind.number);
    case 'text':
      return kind.text;
    case 'flag':
      return String(kind.flag);
  }
}

/** `latent_dim=15 noise_std=0.5`: what sets this trial apart. */
export function parametersText(trial: Trial, names: readonly string[]): string {
  return names.map((name) => `${name}=${parameterText(trial, name)}`).join(' ');
}
