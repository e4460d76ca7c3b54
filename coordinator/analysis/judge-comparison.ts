/** Comparisons, one or several held to one error rate. */
import type { Direction, Quantity } from './claim.ts';
import { type Cell, contrastOf, intervalOf, pValueOf } from './contrast.ts';
import { holmRates } from './holm.ts';
import type { JudgedTrial } from './judged-trial.ts';
import { type Pairing, pair } from './like-with-like.ts';
import { MAX_SEEDS_NEEDED, seedsNeeded } from './seeds-needed.ts';
import type { Estimate, JudgedPart, Verdict } from './verdict.ts';
import { comparisonText, counted, estimateText, shown } from './wording.ts';

/** How often a verdict may be wrong when there is nothing to it, over all parts of a claim. */
export const ERROR_RATE = 0.05;

export interface Comparison {
  readonly left: Quantity;
  readonly right: Quantity;
  readonly direction: Direction;
}

export interface ComparedPart extends JudgedPart {
  /** Settings of the other parameters that it was compared in. */
  readonly settings: number;
}

export function judgeComparisons(
  comparisons: readonly Comparison[],
  trials: readonly JudgedTrial[],
): readonly ComparedPart[] {
  const pairings = comparisons.map((comparison) => ({
    comparison,
    pairing: inDirection(pair(trials, comparison.left, comparison.right), comparison.direction),
  }));
  const judgeable = pairings.filter(({ pairing }) => pairing.cells.length > 0);
  const rates = holmRates(
    judgeable.map(({ pairing }) => pValueOf(contrastOf(pairing.cells))),
    ERROR_RATE,
  );
  return pairings.map((one) => partOf(one.comparison, one.pairing, rates[judgeable.indexOf(one)]));
}

/** Positive is what the claim says. */
function inDirection(pairing: Pairing, direction: Direction): Pairing {
  if (direction === '>') return pairing;
  return { ...pairing, cells: pairing.cells.map(({ weight, values }) => ({ weight: 0 - weight, values })) };
}

function partOf({ left, right, direction }: Comparison, pairing: Pairing, rate: number | undefined): ComparedPart {
  const claim = comparisonText(left, right, direction);
  const { cells, sides, settings } = pairing;
  if (rate === undefined) {
    const because = whyNot(pairing);
    return { claim, verdict: 'undecided', estimate: undefined, because, moreSeeds: undefined, settings };
  }
  const estimate = estimateOf(cells, 1 - rate, pairing.n);
  const verdict = verdictOf(estimate);
  const over = settings > 1 ? ` over ${settings} settings of the other parameters` : '';
  const thin = pairing.thin === 0 ? '' : `; ${counted(pairing.thin, 'setting')} with too few seeds left out`;
  const found = `${sides.map(shown).join(' against ')}${over}: ${estimateText(estimate)}${thin}`;
  if (verdict !== 'undecided') return { claim, verdict, estimate, because: found, moreSeeds: undefined, settings };
  const more = moreSeedsFor(cells, 1 - rate);
  return { claim, verdict, estimate, because: `${found}; ${more.text}`, moreSeeds: more.seeds, settings };
}

/** @param cells signed so that positive is what the claim says */
export function estimateOf(cells: readonly Cell[], level: number, n: readonly [number, number]): Estimate {
  const contrast = contrastOf(cells);
  return { effect: contrast.effect, ...intervalOf(contrast, level), level, effectSize: contrast.g, n };
}

export function verdictOf({ low, high }: Estimate): Verdict {
  if (low > 0) return 'supported';
  return high < 0 ? 'refuted' : 'undecided';
}

/** What an undecided comparison lacks. */
export function moreSeedsFor(cells: readonly Cell[], level: number): { seeds: number | undefined; text: string } {
  const { effect, standardError } = contrastOf(cells);
  if (standardError === 0) return { seeds: undefined, text: 'equal in every seed' };
  const needed = effect === 0 ? undefined : seedsNeeded(cells, level);
  if (needed === undefined) {
    return { seeds: undefined, text: `the interval holds 0, and more than ${MAX_SEEDS_NEEDED} seeds would be needed` };
  }
  const seeds = Math.max(1, needed - Math.min(...cells.map(({ values }) => values.length)));
  return {
    seeds,
    text: `the interval holds 0; ${counted(seeds, 'more seed')} of each config would likely decide it`,
  };
}

function whyNot({ found, thin, apart }: Pairing): string {
  const [left, right] = found;
  if (left === 0 || right === 0) {
    const side = left === 0 && right === 0 ? 'either side' : left === 0 ? 'the left side' : 'the right side';
    return `no trial on ${side} has a result yet`;
  }
  if (thin > 0) return 'two or more seeds of each config are needed to tell a difference from chance';
  const others = apart.length > 0 ? `: they differ in ${apart.join(', ')} too` : '';
  return `no trial has its like on the other side${others}`;
}
