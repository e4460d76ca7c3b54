/** Compares the points of two versions of a sweep file. */
import { BadInputError } from '../../proto/errors.ts';
import { trainerSpec } from '../../proto/trainers.ts';
import { canonicalJson, type Json } from '../../proto/values.ts';
import { type Axis, listedAxis } from '../grid/axes.ts';
import { enumerateTrials } from '../grid/enumerate.ts';
import { plan, planWithoutDrawing } from '../grid/plan.ts';
import { earlierSweepsOf, type SweepSpec } from '../grid/spec.ts';
import { trialId } from '../grid/trial-id.ts';
import { gridContains, type TrialPoint } from './grid-points.ts';

/**
 * The maximum number of trials that a comparison enumerates. The enumeration of this many trials takes about half a
 * second.
 */
export const MAX_COMPARED_TRIALS = 100_000;

/**
 * The difference between the points of two versions. `contains` returns whether the new version contains a given trial.
 */
export type SpaceChange =
  | { readonly kind: 'same' }
  /**
   * The versions differ only in run_cap: their points are the same, up to the lower run_cap. `contains` ignores
   * run_cap.
   */
  | { readonly kind: 'cap'; readonly contains: (trial: TrialPoint) => boolean }
  /** The versions are two different grids. */
  | { readonly kind: 'grid'; readonly contains: (trial: TrialPoint) => boolean };

/** The numbers of trials that a new version keeps, adds and drops, including trials that are not created yet. */
export interface TrialChanges {
  readonly kept: number;
  readonly added: number;
  readonly dropped: number;
}

/**
 * Compares the points of two versions.
 * @throws {BadInputError} if the sweep cannot change to the new version
 */
export function compareSpaces(before: SweepSpec, after: SweepSpec): SpaceChange {
  if (canonicalJson(spaceOf(before)) === canonicalJson(spaceOf(after))) {
    if (before.runCap === after.runCap) return { kind: 'same' };
    return { kind: 'cap', contains: after.search === undefined ? gridContains(after) : () => true };
  }
  if (before.adaptiveReplicates !== undefined || after.adaptiveReplicates !== undefined) {
    throw new BadInputError(
      'the parameters, rules and replicates cannot change if the old or the new version has replicates with ' +
        'until: decided, because the results decide which trials exist: submit the file as a new sweep',
    );
  }
  for (const { search } of [before, after]) {
    if (search === undefined) continue;
    throw new BadInputError(
      `the parameters, rules, seeds and method of a ${search.method} search cannot change, because each point depends on ` +
        'its place in the search; only run_cap can change: submit the file as a new sweep',
    );
  }
  if (!isCapped(after)) return { kind: 'grid', contains: gridContains(after) };
  const ids = idsOf(after);
  return {
    kind: 'grid',
    contains: ({ parameters, seed }) => ids.has(trialId(after.trainer, parameters, seed)),
  };
}

/**
 * Counts the trials that the new version keeps, adds and drops.
 * @throws {BadInputError} if the count would take too long
 */
export function countChanges(before: SweepSpec, after: SweepSpec, change: SpaceChange): TrialChanges {
  const [old, now] = [planWithoutDrawing(before).trials, planWithoutDrawing(after).trials];
  const kept = change.kind === 'grid' ? commonTrials(before, after, old, now) : Math.min(old, now);
  return { kept, added: now - kept, dropped: old - kept };
}

function spaceOf(spec: SweepSpec): Json {
  const { trainer, zip, exclude, when, seeds, adaptiveReplicates, order, search } = spec;
  const conditions = (rule: SweepSpec['exclude'][number]) => rule.conditions.map(({ name, anyOf }) => [name, anyOf]);
  const rules = [exclude.map(conditions), when.map((rule) => [conditions(rule), { ...rule.set }])];
  const axes = spec.axes.map(({ name, definition }) => [name, definition]);
  const warmStart = earlierSweepsOf(search);
  const space = search && [search.method, search.seed, [...search.space], warmStart];
  return JSON.parse(
    JSON.stringify([trainer, axes, zip, rules, seeds, adaptiveReplicates ?? null, order, space ?? null]),
  );
}

/** Whether run_cap removes trials from the grid. */
function isCapped(spec: SweepSpec): boolean {
  if (spec.runCap === undefined) return false;
  const { configs, replicates } = plan({ ...spec, runCap: undefined });
  return spec.runCap < configs * replicates;
}

function idsOf(spec: SweepSpec): Set<string> {
  mustBeCountable(planWithoutDrawing(spec).trials, 'its first trials up to run_cap');
  return new Set([...enumerateTrials(spec)].map((trial) => trial.trialId));
}

function mustBeCountable(trials: number, about: string): void {
  if (trials <= MAX_COMPARED_TRIALS) return;
  throw new BadInputError(
    `the new version is too large to compare: ${about} must be enumerated, and there are ` +
      `${trials.toLocaleString('en')} (max ${MAX_COMPARED_TRIALS.toLocaleString('en')}); submit the file as a new sweep`,
  );
}

function commonTrials(before: SweepSpec, after: SweepSpec, old: number, now: number): number {
  if (before.trainer !== after.trainer) return 0;
  const isPlain = [before, after].every((spec) => spec.when.length + spec.zip.length === 0 && !isCapped(spec));
  if (isPlain) return commonOfPlainGrids(before, after);
  const [small, large] = old <= now ? [before, after] : [after, before];
  mustBeCountable(Math.min(old, now), 'with "when", "zip" or "run_cap", the trials of the smaller version');
  const ids = isCapped(large) ? idsOf(large) : undefined;
  const contains = gridContains(large);
  let common = 0;
  for (const trial of enumerateTrials(small)) {
    if (ids === undefined ? contains(trial) : ids.has(trial.trialId)) common += 1;
  }
  return common;
}

/** Counts the common trials of grids whose axes are independent. */
function commonOfPlainGrids(before: SweepSpec, after: SweepSpec): number {
  const defaults = trainerSpec(after.trainer)?.parameters ?? {};
  const names = new Set([...before.axes, ...after.axes].map(({ name }) => name));
  const axes: Axis[] = [];
  for (const name of names) {
    const [one, other] = [before, after].map((spec) => axisOf(spec, name, defaults[name]?.default));
    if (one === undefined || other === undefined) return 0;
    const axis = commonAxis(one, other);
    if (axis === undefined) return 0;
    axes.push(axis);
  }
  const seeds = before.seeds.filter((seed) => after.seeds.includes(seed));
  if (seeds.length === 0) return 0;
  return plan({ ...after, axes, seeds, exclude: [...before.exclude, ...after.exclude], runCap: undefined }).trials;
}

function axisOf(spec: SweepSpec, name: string, byDefault: Parameters<Axis['indexOf']>[0] | undefined) {
  const own = spec.axes.find((axis) => axis.name === name);
  if (own !== undefined || byDefault === undefined) return own;
  return listedAxis(name, [byDefault]);
}

/** Returns the common values of two axes, or undefined if they have no common values. */
function commonAxis(one: Axis, other: Axis): Axis | undefined {
  if (canonicalJson(one.definition) === canonicalJson(other.definition)) return one;
  const [small, large] = one.size <= other.size ? [one, other] : [other, one];
  mustBeCountable(small.size, `the values of parameter ${one.name}`);
  const values = Array.from({ length: small.size }, (_, index) => small.at(index)).filter(
    (value) => large.indexOf(value) >= 0,
  );
  return values.length === 0 ? undefined : listedAxis(one.name, values);
}
