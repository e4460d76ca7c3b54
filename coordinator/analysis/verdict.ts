/** Judges a sweep's hypotheses by its results. */

import { ascending, descending, least } from 'd3-array';
import { comparedTrials, leftOutText } from '../../lib/domain/trial-result.ts';
import { countText } from '../../lib/text/numbers.ts';
import type { TrialStateName } from '../../proto/names.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { matchesConditions } from '../grid/points.ts';
import type { Hypothesis } from '../grid/spec.ts';
import type { HypothesisClaim, Quantity } from './claim.ts';
import { type ClaimedComparison, ERROR_RATE, judgeComparisons } from './comparison.ts';
import {
  ABOVE_LIMIT,
  conditionsText,
  type JudgedHypothesis,
  type JudgedPart,
  type JudgedTrial,
  type MoreSeeds,
  percentText,
  type Verdict,
} from './judgment.ts';
import { MAX_SEEDS_NEEDED } from './statistics.ts';
import { judgeTrend } from './trend.ts';

/** Judges each hypothesis by all trials that have a result, at the error rate ERROR_RATE. */
export function judgeHypotheses(hypotheses: readonly Hypothesis[], trials: readonly JudgedTrial[]): JudgedHypothesis[] {
  return hypotheses.map((hypothesis) => judgeHypothesis(hypothesis, trials));
}

/**
 * Judges a hypothesis by the trials that have a result. A comparison is supported if the confidence interval of its
 * effect lies entirely on the claimed side of 0. It is refuted if the interval lies entirely on the other side, and
 * otherwise undecided. An ordering is supported if all of its steps are supported, and refuted if one of them is
 * refuted. trend.ts defines when a trend is supported or refuted. `not A > B` is judged as `A < B`, because the absence
 * of a significant difference supports neither claim. Comparisons leave out each config with a trial that early
 * stopping cut off (see `isCutOff`). Trends use every curve, because a trend compares a trial only with itself.
 * @param errorRate the probability of a wrong verdict if there is no effect; default 5%
 */
export function judgeHypothesis(
  hypothesis: Hypothesis,
  trials: readonly JudgedTrial[],
  errorRate = ERROR_RATE,
): JudgedHypothesis {
  const scope = trials.filter(({ parameters }) => matchesConditions(hypothesis.where, parameters));
  const { compared, leftOut } =
    hypothesis.claim.kind === 'trend' ? { compared: scope, leftOut: 0 } : comparedTrials(scope);
  const { parts, method } = partsOf(hypothesis.claim, compared, errorRate);
  const verdict = combinedVerdict(parts);
  const decisive = decisivePart(parts, verdict);
  return {
    name: hypothesis.name,
    claim: hypothesis.text,
    about: hypothesis.about,
    where: conditionsText(hypothesis.where),
    verdict,
    because: reasonOf(parts, verdict, decisive) + missingTrials(scope, leftOut),
    parts,
    moreSeeds: decisive?.moreSeeds,
    method,
  };
}

function partsOf(
  claim: HypothesisClaim,
  scope: readonly JudgedTrial[],
  errorRate: number,
): { parts: readonly JudgedPart[]; method: string } {
  if (claim.kind === 'trend') return { parts: [judgeTrend(claim, scope, errorRate)], method: TREND };
  const comparisons = comparisonsOf(claim);
  const compared = judgeComparisons(comparisons, scope, errorRate);
  const parts = compared.map(({ settings: _, ...part }) => part);
  const settings = Math.max(...compared.map((part) => part.settings));
  const range = comparisons.some(({ left }) => left.over !== undefined) ? RANGE : '';
  return { parts, method: `${settings > 1 ? SEVERAL : ONE}${range}${parts.length > 1 ? holmText(errorRate) : ''}.` };
}

const ONE = "Welch's t interval of the difference of the means over seeds; Hedges' g";
const SEVERAL =
  'the means over seeds are compared in each setting of the other parameters; the effect is the mean of these ' +
  "differences, with a Welch-Satterthwaite interval; Hedges' g uses the standard deviation within configs";
const RANGE = '; a range is the largest mean minus the smallest mean, and its interval uses the delta method';
const holmText = (errorRate: number) => `; the steps share an error rate of ${percentText(errorRate)} (Holm)`;
const TREND =
  "the mean of Kendall's tau over the configs, with a t interval from the variation between seeds; the regional Kendall " +
  'test must agree with this interval.';

/** Returns the comparisons of a claim that is not a trend. */
export function comparisonsOf(claim: Exclude<HypothesisClaim, { kind: 'trend' }>): ClaimedComparison[] {
  if (claim.kind === 'comparison') {
    const { left, right, negated } = claim;
    const opposite = claim.direction === '>' ? '<' : '>';
    return [{ left, right, direction: negated ? opposite : claim.direction }];
  }
  const { metric, parameter, values, direction } = claim;
  const at = (value: ParameterValue): Quantity => {
    return { metric, over: undefined, conditions: [{ name: parameter, anyOf: [value] }] };
  };
  return values.slice(1).map((value, index) => ({ left: at(values[index] ?? value), right: at(value), direction }));
}

function combinedVerdict(parts: readonly JudgedPart[]): Verdict {
  if (parts.some(({ verdict }) => verdict === 'refuted')) return 'refuted';
  return parts.every(({ verdict }) => verdict === 'supported') ? 'supported' : 'undecided';
}

/**
 * Returns the decisive part of a claim: among the parts with the verdict of the hypothesis, the part that needs the
 * most seeds. If several parts need equally many seeds, returns the one with the smallest effect.
 */
function decisivePart(parts: readonly JudgedPart[], verdict: Verdict): JudgedPart | undefined {
  const effectOf = ({ estimate }: JudgedPart) => estimate?.effect ?? Number.POSITIVE_INFINITY;
  return least(
    parts.filter((part) => part.verdict === verdict),
    (a, b) => descending(seedsOrder(a.moreSeeds), seedsOrder(b.moreSeeds)) || ascending(effectOf(a), effectOf(b)),
  );
}

/** A part whose number of seeds is unknown counts as the part that needs the most seeds. */
function seedsOrder(moreSeeds: MoreSeeds): number {
  if (moreSeeds === undefined) return Number.POSITIVE_INFINITY;
  return moreSeeds === ABOVE_LIMIT ? MAX_SEEDS_NEEDED + 1 : moreSeeds;
}

/** For each verdict on a claim, the text that describes the decisive step of the claim. */
const WHICH: Readonly<Record<Verdict, string>> = {
  supported: 'the step with the smallest effect',
  refuted: 'the refuted step',
  undecided: 'the step that needs the most seeds',
};

function reasonOf(parts: readonly JudgedPart[], verdict: Verdict, decisive: JudgedPart | undefined): string {
  if (decisive === undefined) return '';
  if (parts.length === 1) return decisive.because;
  const count = (name: Verdict) => parts.filter((part) => part.verdict === name).length;
  const verdicts = (['supported', 'refuted', 'undecided'] as const)
    .filter((name) => count(name) > 0)
    .map((name) => `${count(name)} ${name}`);
  return `of ${countText(parts.length, 'step')}, ${verdicts.join(' and ')}; ${WHICH[verdict]}, ${decisive.claim}: ${decisive.because}`;
}

function missingTrials(scope: readonly JudgedTrial[], leftOut: number): string {
  const inState = (...states: readonly TrialStateName[]) => scope.filter(({ state }) => states.includes(state)).length;
  const unfinished = inState('pending', 'offered', 'running', 'held', 'interrupted');
  const lost = inState('failed', 'cancelled');
  return [
    scope.length === 0 ? '; no trial of the sweep matches the conditions under "where"' : '',
    unfinished === 0 ? '' : `; ${countText(unfinished, 'trial')} not finished yet`,
    lost === 0 ? '' : `; ${countText(lost, 'trial')} without a result (failed or cancelled)`,
    leftOut === 0 ? '' : `; ${leftOutText(leftOut)}`,
  ].join('');
}
