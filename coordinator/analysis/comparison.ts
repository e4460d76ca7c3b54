/** Judges comparisons of means or ranges. The comparisons of one claim share one error rate. */
import { countText } from '../../lib/text/numbers.ts';
import type { Direction, Quantity } from './claim.ts';
import {
  ABOVE_LIMIT,
  comparisonText,
  type Estimate,
  estimateText,
  type JudgedPart,
  type JudgedTrial,
  type MoreSeeds,
  rounded,
  type Verdict,
} from './judgment.ts';
import { type Pairing, pair } from './pairing.ts';
import { type Cell, contrastOf, holmRates, intervalOf, MAX_SEEDS_NEEDED, pValueOf, seedsNeeded } from './statistics.ts';

/** The maximum probability that at least one part of a claim gets a wrong verdict, if no effect exists. */
export const ERROR_RATE = 0.05;

export interface ClaimedComparison {
  readonly left: Quantity;
  readonly right: Quantity;
  readonly direction: Direction;
}

export interface ComparedPart extends JudgedPart {
  /** The number of settings at which the two sides are compared. pairing.ts defines a setting. */
  readonly settings: number;
}

export function judgeComparisons(
  comparisons: readonly ClaimedComparison[],
  trials: readonly JudgedTrial[],
  errorRate: number,
): readonly ComparedPart[] {
  const pairings = comparisons.map((comparison) => ({
    comparison,
    pairing: inDirection(pair(trials, comparison.left, comparison.right), comparison.direction),
  }));
  const judgeable = pairings.filter(({ pairing }) => pairing.cells.length > 0);
  const rates = holmRates(
    judgeable.map(({ pairing }) => pValueOf(contrastOf(pairing.cells))),
    errorRate,
  );
  return pairings.map((one) => partOf(one.comparison, one.pairing, rates[judgeable.indexOf(one)]));
}

function inDirection(pairing: Pairing, direction: Direction): Pairing {
  if (direction === '>') return pairing;
  return { ...pairing, cells: pairing.cells.map(({ weight, values }) => ({ weight: 0 - weight, values })) };
}

function partOf(
  { left, right, direction }: ClaimedComparison,
  pairing: Pairing,
  rate: number | undefined,
): ComparedPart {
  const claim = comparisonText(left, right, direction);
  const { cells, sides, settings } = pairing;
  if (rate === undefined) {
    const because = missingData(pairing);
    return { claim, verdict: 'undecided', estimate: undefined, because, moreSeeds: undefined, settings };
  }
  const estimate = estimateOf(cells, 1 - rate, pairing.n);
  const verdict = verdictOf(estimate);
  const over = settings > 1 ? ` over ${settings} settings of the other parameters` : '';
  const skipped =
    pairing.thinSettings === 0 ? '' : `; ${countText(pairing.thinSettings, 'setting')} skipped: fewer than two seeds`;
  const found = `${rounded(sides[0])} on the left and ${rounded(sides[1])} on the right${over}; ${estimateText(estimate)}${skipped}`;
  if (verdict !== 'undecided') return { claim, verdict, estimate, because: found, moreSeeds: undefined, settings };
  const more = moreSeedsFor(cells, 1 - rate);
  return { claim, verdict, estimate, because: `${found}; ${more.text}`, moreSeeds: more.seeds, settings };
}

/**
 * Estimates an effect and its confidence interval.
 * @param cells the cells, with weights such that an effect in the claim's direction is positive
 */
export function estimateOf(cells: readonly Cell[], level: number, n: readonly [number, number]): Estimate {
  const contrast = contrastOf(cells);
  return { effect: contrast.effect, ...intervalOf(contrast, level), level, effectSize: contrast.g, n };
}

export function verdictOf({ low, high }: Estimate): Verdict {
  if (low > 0) return 'supported';
  return high < 0 ? 'refuted' : 'undecided';
}

/**
 * Returns the number of further seeds that would probably decide an undecided comparison or trend, and a text that
 * states this number or the reason why there is none.
 */
export function moreSeedsFor(cells: readonly Cell[], level: number): { seeds: MoreSeeds; text: string } {
  const { effect, standardError } = contrastOf(cells);
  if (standardError === 0) return { seeds: undefined, text: 'the effect is 0 and does not vary between seeds' };
  const needed = effect === 0 ? undefined : seedsNeeded(cells, level);
  if (needed === undefined) {
    const text = `the interval includes 0, and more than ${MAX_SEEDS_NEEDED} seeds would be needed`;
    return { seeds: ABOVE_LIMIT, text };
  }
  const seeds = Math.max(1, needed - Math.min(...cells.map(({ values }) => values.length)));
  return {
    seeds,
    text: `the interval includes 0; ${countText(seeds, 'more seed')} per config would probably decide it`,
  };
}

function missingData({ found, thinSettings, disjoint }: Pairing): string {
  const [left, right] = found;
  if (left === 0 || right === 0) {
    const side = left === 0 && right === 0 ? 'either side' : left === 0 ? 'the left side' : 'the right side';
    return `no trial on ${side} has a result yet`;
  }
  if (thinSettings > 0) return 'at least two seeds per config are needed to distinguish a difference from chance';
  const others = disjoint.length > 0 ? `: the sides also differ in ${disjoint.join(', ')}` : '';
  return `no trial has a counterpart on the other side${others}`;
}
