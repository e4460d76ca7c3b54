/** What the results say of the hypotheses. */
import type { TrialStateName } from '../../proto/names.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { matches } from '../grid/rules.ts';
import type { Hypothesis } from '../grid/spec.ts';
import type { Claim, Quantity } from './claim.ts';
import { type Comparison, ERROR_RATE, judgeComparisons } from './judge-comparison.ts';
import { judgeTrend } from './judge-trend.ts';
import type { JudgedTrial } from './judged-trial.ts';
import { conditionsText, counted, percent } from './wording.ts';

export type { JudgedTrial } from './judged-trial.ts';

export type Verdict = 'supported' | 'refuted' | 'undecided';

export interface Estimate {
  /** In the metric's unit; positive in the claim's direction. */
  readonly effect: number;
  /** Confidence interval of the effect. */
  readonly low: number;
  readonly high: number;
  /** Of the interval, such as 0.95. */
  readonly level: number;
  /** Hedges' g unless the method names another; of the effect's sign. */
  readonly effectSize: number;
  /** Trials on the left side, and on the right; a trend has curves on the left, and no other side. */
  readonly n: readonly [number, number];
}

export interface JudgedPart {
  /** Such as `test_loss[latent_dim=15] > test_loss[latent_dim=30]`. */
  readonly claim: string;
  readonly verdict: Verdict;
  readonly estimate: Estimate | undefined;
  readonly because: string;
  readonly moreSeeds: number | undefined;
}

export interface Judged {
  readonly name: string;
  readonly claim: string;
  readonly about: string;
  /** The conditions on one line; empty: all trials. */
  readonly where: string;
  readonly verdict: Verdict;
  /** One sentence with the numbers that decide. */
  readonly because: string;
  readonly parts: readonly JudgedPart[];
  /** Further seeds of each config that would likely decide it; undefined when it is decided or nothing can tell. */
  readonly moreSeeds: number | undefined;
  /** How it was judged, in a sentence. */
  readonly method: string;
}

/**
 * Each hypothesis against the trials that have a result. A claim is supported when its interval lies wholly on its side
 * of 0, refuted when it lies wholly on the other, else undecided. `not A > B` is judged as `A < B`: that no difference is
 * found supports neither.
 */
export function judge(hypotheses: readonly Hypothesis[], trials: readonly JudgedTrial[]): Judged[] {
  return hypotheses.map((hypothesis) => {
    const scope = trials.filter(({ parameters }) => matches(hypothesis.where, parameters));
    const { parts, method } = partsOf(hypothesis.claim, scope);
    const verdict = together(parts);
    return {
      name: hypothesis.name,
      claim: hypothesis.text,
      about: hypothesis.about,
      where: conditionsText(hypothesis.where),
      verdict,
      because: reasonOf(parts, verdict) + lacking(scope),
      parts,
      moreSeeds: verdict === 'undecided' ? mostSeeds(parts) : undefined,
      method,
    };
  });
}

function partsOf(claim: Claim, scope: readonly JudgedTrial[]): { parts: readonly JudgedPart[]; method: string } {
  if (claim.kind === 'trend') return { parts: [judgeTrend(claim.metric, claim.rises, scope)], method: TREND };
  const comparisons = comparisonsOf(claim);
  const compared = judgeComparisons(comparisons, scope);
  const parts = compared.map(({ settings: _, ...part }) => part);
  const settings = Math.max(...compared.map((part) => part.settings));
  const range = comparisons.some(({ left }) => left.over !== undefined) ? RANGE : '';
  return { parts, method: `${settings > 1 ? SEVERAL : ONE}${range}${parts.length > 1 ? HOLM : ''}.` };
}

const ONE = "Welch's t interval of the difference of the means over seeds; Hedges' g";
const SEVERAL =
  'the mean of the differences of the means over seeds, each within one setting of the other parameters, with its ' +
  "Welch-Satterthwaite interval; Hedges' g from the spread within configs";
const RANGE = '; a range is between the levels of the largest and the smallest mean (delta method)';
const HOLM = `; the steps are held together to an error rate of ${percent(ERROR_RATE)} (Holm)`;
const TREND =
  "Kendall's tau of each curve, its mean over configs with a t interval over seeds, and the regional Kendall test; both " +
  'must agree.';

function comparisonsOf(claim: Exclude<Claim, { kind: 'trend' }>): Comparison[] {
  if (claim.kind === 'comparison') {
    const { left, right, negated } = claim;
    const opposite = claim.direction === '>' ? '<' : '>';
    return [{ left, right, direction: negated ? opposite : claim.direction }];
  }
  const { metric, parameter, values, direction } = claim;
  const at = (value: ParameterValue): Quantity => ({
    ...{ metric, over: undefined, conditions: [{ name: parameter, anyOf: [value] }] },
  });
  return values.slice(1).map((value, index) => ({ left: at(values[index] ?? value), right: at(value), direction }));
}

/** One part that is refuted refutes the claim; all supported support it. */
function together(parts: readonly JudgedPart[]): Verdict {
  if (parts.some(({ verdict }) => verdict === 'refuted')) return 'refuted';
  return parts.every(({ verdict }) => verdict === 'supported') ? 'supported' : 'undecided';
}

function reasonOf(parts: readonly JudgedPart[], verdict: Verdict): string {
  const telling = parts.filter((part) => part.verdict === verdict);
  const effect = (part: JudgedPart) => part.estimate?.effect ?? Number.POSITIVE_INFINITY;
  const [least] = telling.sort((a, b) => effect(a) - effect(b));
  if (least === undefined) return '';
  if (parts.length === 1) return least.because;
  const hold = parts.filter((part) => part.verdict === 'supported').length;
  const which = verdict === 'supported' ? 'the smallest' : verdict;
  return `${hold} of ${counted(parts.length, 'step')} ${hold === 1 ? 'holds' : 'hold'}; ${which}: ${least.claim}, ${least.because}`;
}

/** What the verdict does not rest on. */
function lacking(scope: readonly JudgedTrial[]): string {
  const inState = (...states: readonly TrialStateName[]) => scope.filter(({ state }) => states.includes(state)).length;
  const open = inState('pending', 'offered', 'running');
  const lost = inState('failed', 'cancelled');
  return [
    scope.length === 0 ? '; no trial of the sweep meets where' : '',
    open === 0 ? '' : `; ${counted(open, 'trial')} not ended yet`,
    lost === 0 ? '' : `; ${counted(lost, 'trial')} without a result (failed or cancelled)`,
  ].join('');
}

function mostSeeds(parts: readonly JudgedPart[]): number | undefined {
  const open = parts.filter(({ verdict }) => verdict === 'undecided').map(({ moreSeeds }) => moreSeeds);
  const known = open.flatMap((seeds) => seeds ?? []);
  return known.length < open.length ? undefined : Math.max(...known);
}
