/** The trials of a sweep, one by one. */
import { createHash } from 'node:crypto';
import { BadInputError } from '../../proto/errors.ts';
import { type Parameters, TRAINERS, type TrainerSpec, withDefaults } from '../../proto/trainers.ts';
import { dimensionsOf, pointAt, pointCount } from './dimensions.ts';
import { plan } from './plan.ts';
import { digitsOf } from './radix.ts';
import { excludedBy, overridesOf } from './rules.ts';
import type { SweepSpec } from './spec.ts';
import { idsOf } from './trial-id.ts';

/** The most trials of a sweep that is run; a plan may count far more. */
export const MAX_TRIALS = 200_000;

/** The most points that are walked to find a sweep's trials, those dropped by exclude included (a few seconds). */
export const MAX_WALKED_POINTS = 500_000;

export interface PlannedTrial {
  /** Position in the sweep's order, from 0. */
  readonly index: number;
  /** After `when`, with the trainer's defaults filled in. */
  readonly parameters: Parameters;
  readonly seed: number;
  readonly trialId: string;
  /** Shared by the replicates. */
  readonly configId: string;
}

/**
 * Distinct trials in the sweep's order. Grid: by index of the point, the last axis turning fastest, the replicates of
 * a config next to each other. Shuffled: by a hash of the order's seed and the trial's id, so that adding a value to
 * an axis leaves the others in their order.
 * @throws {BadInputError} at once, when there is no trial or there are more than MAX_TRIALS or MAX_WALKED_POINTS.
 */
export function enumerateTrials(spec: SweepSpec): Generator<PlannedTrial, void, undefined> {
  const { trials, configs } = plan(spec);
  if (trials === 0) throw new BadInputError(`sweep ${spec.name} has no trials: exclude drops every point of its grid`);
  if (trials > MAX_TRIALS) {
    throw new BadInputError(
      `sweep ${spec.name} has ${trials.toLocaleString('en')} trials (${configs.toLocaleString('en')} configs, ` +
        `${spec.seeds.length} seeds), more than the ${MAX_TRIALS.toLocaleString('en')} that one sweep may run; ` +
        'shorten an axis, exclude more, or split the sweep',
    );
  }
  const points = pointCount(dimensionsOf(spec), spec.seeds.length);
  if (points > MAX_WALKED_POINTS) {
    throw new BadInputError(
      `sweep ${spec.name} keeps ${configs.toLocaleString('en')} of the ${points.toLocaleString('en')} points of its ` +
        `grid, too thin to walk (the limit is ${MAX_WALKED_POINTS.toLocaleString('en')} points); shorten its axes ` +
        'instead of excluding, or split the sweep',
    );
  }
  return numbered(spec.order.kind === 'grid' ? trialsOf(spec) : shuffled(trialsOf(spec), spec.order.seed));
}

type Unnumbered = Omit<PlannedTrial, 'index'>;

function* numbered(trials: Iterable<Unnumbered>): Generator<PlannedTrial, void, undefined> {
  let index = 0;
  for (const trial of trials) yield { index: index++, ...trial };
}

function* trialsOf(spec: SweepSpec): Generator<Unnumbered, void, undefined> {
  const trainer: TrainerSpec = TRAINERS[spec.trainer];
  const dimensions = dimensionsOf(spec);
  const sizes = dimensions.map(({ size }) => size);
  const points = pointCount(dimensions, 1);
  const seen = new Set<string>();
  for (let position = 0; position < points; position++) {
    const point = pointAt(dimensions, digitsOf(sizes, position));
    if (excludedBy(spec.exclude, point) >= 0) continue;
    const parameters = withDefaults(trainer, { ...point, ...overridesOf(spec.when, point) });
    const ids = idsOf(spec.trainer, parameters);
    if (seen.has(ids.configId)) continue;
    seen.add(ids.configId);
    for (const seed of spec.seeds) {
      yield { parameters, seed, trialId: ids.trialId(seed), configId: ids.configId };
    }
  }
}

function shuffled(trials: Iterable<Unnumbered>, seed: number): Unnumbered[] {
  const rank = (trial: Unnumbered) => createHash('sha256').update(`${seed}/${trial.trialId}`).digest('hex');
  return Array.from(trials, (trial) => ({ trial, rank: rank(trial) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ trial }) => trial);
}
