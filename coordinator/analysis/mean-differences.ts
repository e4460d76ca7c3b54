import { ERROR_RATE, estimateOf, moreSeedsFor, verdictOf } from './comparison.ts';
import { type Cell, contrastOf, holmRates, pValueOf } from './statistics.ts';

/** The mean of a set of results minus the mean of the first set. */
export interface MeanDifference {
  readonly difference: number;
  /** The confidence interval of the difference. */
  readonly low: number;
  readonly high: number;
  /**
   * The level of the confidence interval, such as 0.95. The level can be higher if several differences share the error
   * rate.
   */
  readonly level: number;
  readonly verdict: 'higher' | 'lower' | 'undecided';
  /**
   * A text that states how many further seeds would probably decide the verdict, or why no number is known. Empty if
   * `verdict` is not `undecided`.
   */
  readonly moreSeeds: string;
}

const VERDICTS = { supported: 'higher', refuted: 'lower', undecided: 'undecided' } as const;

/**
 * Compares the mean of each set of replicates with the mean of the first set (Welch's interval). All differences share
 * one error rate (Holm).
 * @returns one difference per set; undefined for the first set, and for a set with fewer than two results. If the first
 * set has fewer than two results, all differences are undefined.
 */
export function differencesFromFirst(sets: readonly (readonly number[])[]): (MeanDifference | undefined)[] {
  const [first = []] = sets;
  const cells = sets.map((values, at): Cell[] | undefined =>
    at === 0 || first.length < 2 || values.length < 2
      ? undefined
      : [
          { weight: 1, values },
          { weight: -1, values: first },
        ],
  );
  const judged = cells.filter((pair) => pair !== undefined);
  const rates = holmRates(
    judged.map((pair) => pValueOf(contrastOf(pair))),
    ERROR_RATE,
  );
  return cells.map((pair) => {
    const rate = pair && rates[judged.indexOf(pair)];
    if (pair === undefined || rate === undefined) return undefined;
    const level = 1 - rate;
    const estimate = estimateOf(pair, level, [pair[0]?.values.length ?? 0, first.length]);
    const verdict = VERDICTS[verdictOf(estimate)];
    const moreSeeds = verdict === 'undecided' ? moreSeedsFor(pair, level).text : '';
    return { difference: estimate.effect, low: estimate.low, high: estimate.high, level, verdict, moreSeeds };
  });
}
