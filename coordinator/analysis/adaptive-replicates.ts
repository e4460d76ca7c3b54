/**
 * Decides which configs need further replicates. Each hypothesis is judged several times while replicates arrive. Each
 * of these judgments is called a look. All looks together have the error rate of a single judgment. In a sweep without
 * hypotheses, the looks decide which config is the best.
 */
import { group, least } from 'd3-array';
import { comparedTrials, meanOf, resultOf } from '../../lib/domain/trial-result.ts';
import { countText } from '../../lib/text/numbers.ts';
import type { TrialStateName } from '../../proto/names.ts';
import { matchesConditions } from '../grid/points.ts';
import type { AdaptiveReplicates, Hypothesis, Metric } from '../grid/spec.ts';
import { ERROR_RATE } from './comparison.ts';
import { lookLevels } from './group-sequential.ts';
import { type JudgedHypothesis, type JudgedTrial, percentText } from './judgment.ts';
import { counterpartsOf } from './pairing.ts';
import { contrastOf, pValueOf } from './statistics.ts';
import { comparisonsOf, judgeHypothesis } from './verdict.ts';

/** From one look to the next, the number of replicates grows by one fifth (rounded down), but by at least one. */
const REPLICATES_PER_STEP = 5;

interface Look {
  /** The look judges this many replicates of each config: the replicates with seeds below this number. */
  readonly replicates: number;
  /** The probability of a wrong verdict at this look alone. */
  readonly errorRate: number;
}

/** A trial that does not exist yet. */
export interface MissingReplicate {
  /** A trial of the same config. */
  readonly replicateOf: JudgedTrial;
  readonly seed: number;
}

const known = new Map<string, readonly Look[]>();

/**
 * Returns the looks of a sweep. Up to and including the look that judges a share `t` of the maximum number of
 * replicates, `t ** 2` of the error rate is spent (the power family of Kim and DeMets, Biometrika 74, 1987). Early
 * looks therefore decide only clear effects, and the last look has almost the power of a single judgment.
 */
export function looksOf({ min, max }: AdaptiveReplicates): readonly Look[] {
  const key = `${min} ${max}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const counts = [min];
  for (let count = min; count < max; counts.push(count)) {
    count = Math.min(max, count + Math.max(1, Math.floor(count / REPLICATES_PER_STEP)));
  }
  const shares = counts.map((count) => count / max);
  const levels = lookLevels(
    shares,
    shares.map((share) => ERROR_RATE * share ** 2),
  );
  const looks = counts.map((replicates, index) => ({ replicates, errorRate: levels[index] ?? 0 }));
  known.set(key, looks);
  return looks;
}

/**
 * Judges each hypothesis at the looks whose trials have all ended, up to the first look that supports or refutes the
 * hypothesis. Later results do not change this verdict.
 */
export function judgeAtLooks(
  hypotheses: readonly Hypothesis[],
  replicates: AdaptiveReplicates,
  trials: readonly JudgedTrial[],
): JudgedHypothesis[] {
  return hypotheses.map((hypothesis) => followLooks(hypothesis, replicates, trials).judged);
}

/**
 * Returns the replicates that must still be created for the next look at each undecided hypothesis. Without hypotheses,
 * returns the replicates that must still be created for the next look at the configs that may still be the best.
 * Returns no replicates if everything is decided, or if each config has the maximum number of replicates.
 * @param trials all trials of the sweep; all must have ended
 */
export function missingReplicates(
  {
    hypotheses,
    metric,
  }: { readonly hypotheses: readonly Hypothesis[]; readonly metric: Pick<Metric, 'name' | 'goal'> },
  replicates: AdaptiveReplicates,
  trials: readonly JudgedTrial[],
): MissingReplicate[] {
  if (hypotheses.length === 0) return missingOfBest(metric, replicates, trials);
  const missing = hypotheses.flatMap((hypothesis) => followLooks(hypothesis, replicates, trials).missing);
  const distinct = new Map(missing.map((each) => [`${each.replicateOf.configId} ${each.seed}`, each]));
  return inOrder([...distinct.values()]);
}

/** Returns the trials that determine the verdict on a hypothesis, including trials without a result. */
function trialsOf({ claim, where }: Hypothesis, trials: readonly JudgedTrial[]): JudgedTrial[] {
  const scope = trials.filter(({ parameters }) => matchesConditions(where, parameters));
  if (claim.kind === 'trend') return scope;
  const compared = comparisonsOf(claim).flatMap(({ left, right }) => counterpartsOf(scope, left, right));
  return [...new Set(compared)];
}

function followLooks(
  hypothesis: Hypothesis,
  replicates: AdaptiveReplicates,
  trials: readonly JudgedTrial[],
): { judged: JudgedHypothesis; missing: readonly MissingReplicate[] } {
  const scope = trialsOf(hypothesis, trials);
  const looks = looksOf(replicates);
  let judged = beforeFirstLook(judgeHypothesis(hypothesis, trials), replicates.min);
  for (const [index, look] of looks.entries()) {
    const missing = missingBelow(scope, look.replicates);
    if (missing.length > 0 || scope.some(({ seed, state }) => seed < look.replicates && !hasEnded(state))) {
      return { judged, missing };
    }
    const present = trials.filter(({ seed }) => seed < look.replicates);
    judged = atLook(judgeHypothesis(hypothesis, present, look.errorRate), look, index, looks.length);
    if (judged.verdict !== 'undecided') break;
  }
  return { judged, missing: [] };
}

function hasEnded(state: TrialStateName): boolean {
  return state === 'succeeded' || state === 'stopped' || state === 'failed' || state === 'cancelled';
}

function beforeFirstLook(judged: JudgedHypothesis, min: number): JudgedHypothesis {
  const because = `it is not judged until each config has ${min} replicates`;
  const parts = judged.parts.map((part) => ({ ...part, verdict: 'undecided' as const, because, moreSeeds: undefined }));
  return { ...judged, verdict: 'undecided', because, parts, moreSeeds: undefined };
}

function atLook(judged: JudgedHypothesis, { replicates, errorRate }: Look, index: number, looks: number) {
  const place = `look ${index + 1} of ${looks}, at ${countText(replicates, 'replicate')} per config`;
  return {
    ...judged,
    because: `${judged.because} (${place})`,
    method:
      `${judged.method.replace(/\.$/, '')}; this look has the error rate ${percentText(errorRate)}, and all looks together ` +
      `have ${percentText(ERROR_RATE)} (alpha spending, power family).`,
  };
}

/** Returns the missing trials with seeds below `count`, for each config that has at least one trial. */
function missingBelow(trials: readonly JudgedTrial[], count: number): MissingReplicate[] {
  return [...group(trials, ({ configId }) => configId).values()].flatMap((config) => {
    const [replicateOf] = config;
    if (replicateOf === undefined) return [];
    const seeds = new Set(config.map(({ seed }) => seed));
    return Array.from({ length: count }, (_, seed) => seed).flatMap((seed) =>
      seeds.has(seed) ? [] : [{ replicateOf, seed }],
    );
  });
}

/** Orders replicates by seed, so that every config runs a seed before any config runs the next seed. */
function inOrder(missing: readonly MissingReplicate[]): MissingReplicate[] {
  return missing.toSorted((a, b) => a.seed - b.seed);
}

/**
 * Returns the missing replicates of the configs that may still be the best. A config is dropped at a look if it is
 * significantly worse than the leading config, or if it has fewer than two results. The comparisons at a look share the
 * look's error rate (Bonferroni). The probability that any of them drops the best config is therefore at most this
 * rate.
 */
function missingOfBest(
  { name, goal }: Pick<Metric, 'name' | 'goal'>,
  replicates: AdaptiveReplicates,
  trials: readonly JudgedTrial[],
): MissingReplicate[] {
  let rivals = [...group(trials, ({ configId }) => configId).values()];
  const comparisons = Math.max(1, rivals.length - 1);
  for (const look of looksOf(replicates)) {
    const missing = missingBelow(rivals.flat(), look.replicates);
    if (missing.length > 0) return inOrder(missing);
    const measured = rivals.flatMap((config) => {
      const present = comparedTrials(config).compared.filter(({ seed }) => seed < look.replicates);
      const values = present.flatMap((trial) => resultOf(trial, name) ?? []);
      return values.length < 2 ? [] : [{ config, values }];
    });
    const leader = least(measured, ({ values }) => (goal === 'minimize' ? 1 : -1) * meanOf(values));
    if (leader === undefined) return [];
    rivals = measured
      .filter(({ values }) => !differ(values, leader.values, look.errorRate / comparisons))
      .map(({ config }) => config);
    if (rivals.length < 2) return [];
  }
  return [];
}

function differ(left: readonly number[], right: readonly number[], errorRate: number): boolean {
  const contrast = contrastOf([
    { weight: 1, values: left },
    { weight: -1, values: right },
  ]);
  return pValueOf(contrast) <= errorRate;
}
