/** Enumerates the trials of a sweep. */
import { createHash } from 'node:crypto';
import { BadInputError } from '../../proto/errors.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { type WalkedPoint, walkPoints } from './configs.ts';
import { type Plan, plan } from './plan.ts';
import { isDrawn, MAX_TRIALS, type SweepSpec } from './spec.ts';

/** The maximum number of points, including excluded points. Enumerating this many points takes a few seconds. */
const MAX_WALKED_POINTS = 500_000;

export interface PlannedTrial {
  /** Position in the sweep's order, from 0. */
  readonly index: number;
  /** The parameters after `when`, completed with the trainer's defaults. */
  readonly parameters: Parameters;
  readonly seed: number;
  readonly trialId: string;
  /** Equal for all replicates of a config. */
  readonly configId: string;
}

/**
 * Yields distinct trials in the sweep's order. In grid order, the last axis varies fastest, and the replicates of a
 * config follow each other. Shuffled order sorts by a hash of the order's seed and the trial's id, so that a new value
 * on an axis does not change the order of the other trials.
 * @param planned the sweep's plan, if the caller has already computed it
 * @throws {BadInputError} immediately, if there are no trials, or more than MAX_TRIALS trials or MAX_WALKED_POINTS
 * points
 */
export function enumerateTrials(spec: SweepSpec, planned: Plan = plan(spec)): Generator<PlannedTrial, void, undefined> {
  if (spec.search !== undefined && !isDrawn(spec.search))
    throw new BadInputError(
      `method ${spec.search.method} draws its points while the sweep runs, so they cannot be listed`,
    );
  const { trials, configs, points, drawn } = planned;
  if (trials === 0) throw new BadInputError(`sweep ${spec.name} has no trials: exclude drops every point`);
  if (trials > MAX_TRIALS) {
    throw new BadInputError(
      `sweep ${spec.name} has ${trials.toLocaleString('en')} trials (${configs.toLocaleString('en')} configs, ` +
        `${spec.seeds.length} seeds), more than the maximum of ${MAX_TRIALS.toLocaleString('en')}; ` +
        'shorten an axis, exclude more points, or split the sweep',
    );
  }
  if (spec.search === undefined && points > MAX_WALKED_POINTS) {
    throw new BadInputError(
      `sweep ${spec.name} keeps only ${configs.toLocaleString('en')} of the ${points.toLocaleString('en')} points of its ` +
        `grid, which is too many to enumerate (max ${MAX_WALKED_POINTS.toLocaleString('en')} points); shorten its axes ` +
        'instead of excluding points, or split the sweep',
    );
  }
  const inOrder = trialsOf(spec, drawn ?? walkPoints(spec));
  // The points of a search have no order that could be shuffled.
  const isShuffled = spec.order.kind === 'shuffled' && spec.search === undefined;
  return numbered(isShuffled ? shuffled(inOrder, spec.order.seed) : inOrder, trials);
}

type Unnumbered = Omit<PlannedTrial, 'index'>;

function* numbered(trials: Iterable<Unnumbered>, limit: number): Generator<PlannedTrial, void, undefined> {
  let index = 0;
  for (const trial of trials) {
    if (index === limit) return;
    yield { index: index++, ...trial };
  }
}

function* trialsOf({ seeds }: SweepSpec, points: Iterable<WalkedPoint>): Generator<Unnumbered, void, undefined> {
  for (const point of points) {
    if (point.kind !== 'config') continue;
    const { parameters, configId, trialId } = point;
    for (const seed of seeds) yield { parameters, seed, trialId: trialId(seed), configId };
  }
}

function shuffled(trials: Iterable<Unnumbered>, seed: number): Unnumbered[] {
  const rank = (trial: Unnumbered) => createHash('sha256').update(`${seed}/${trial.trialId}`).digest('hex');
  return Array.from(trials, (trial) => ({ trial, rank: rank(trial) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ trial }) => trial);
}
