/**
 * Computes error rates for results that are judged repeatedly while they arrive. If every look used the full error
 * rate, a wrong verdict would become more likely with each look. The error rate is therefore divided among the looks
 * (alpha spending: Lan and DeMets, Biometrika 70, 1983).
 */
import jStat from 'jstat';
import { normalTwoSided } from './statistics.ts';

/** The number of intervals in each numerical integration. Simpson's rule requires an even number. */
const INTERVALS = 100;
const BISECTIONS = 30;
/**
 * The largest boundary, in standard errors. In double precision, the probability of a value above it is computed as 0.
 */
const LARGEST_BOUNDARY = 12;

/**
 * Returns the two-sided significance level of each look. The levels are chosen so that the probability of a wrong
 * verdict at a look or at any earlier look equals the error rate that is spent up to this look. The test statistic is
 * treated as a Brownian motion that is observed at the looks, and the probabilities are integrated numerically
 * (Armitage, McPherson and Rowe, Journal of the Royal Statistical Society A 132, 1969). The p-values of t-tests are
 * compared with these levels, which is known as the significance level approach (Jennison and Turnbull, Group
 * Sequential Methods, 2000, section 3.3).
 * @param shares the share of the full data at each look: ascending, above 0 and at most 1
 * @param spent the error rate that is spent up to and including each look: ascending
 */
export function lookLevels(shares: readonly number[], spent: readonly number[]): number[] {
  let density: Density | undefined;
  return shares.map((share, look) => {
    const step = Math.sqrt(share - (shares[look - 1] ?? 0));
    const error = (spent[look] ?? 0) - (spent[look - 1] ?? 0);
    const boundary = boundaryOf(density, step, error, Math.sqrt(share));
    density = densityWithin(density, step, boundary);
    return normalTwoSided(boundary / Math.sqrt(share));
  });
}

/**
 * The probability density of the test statistic after a look. It excludes the cases in which the statistic has crossed
 * a boundary at this look or at an earlier look.
 */
interface Density {
  readonly points: readonly number[];
  /** The density at each point, times the weight of the point in Simpson's rule. */
  readonly weights: readonly number[];
}

/**
 * Returns the boundary for a look. With this boundary, the probability that the statistic crosses a boundary for the
 * first time at this look is `error`.
 */
function boundaryOf(before: Density | undefined, step: number, error: number, unit: number): number {
  let [low, high] = [0, LARGEST_BOUNDARY * unit];
  for (let round = 0; round < BISECTIONS; round++) {
    const middle = (low + high) / 2;
    if (crossing(before, step, middle) > error) low = middle;
    else high = middle;
  }
  return high;
}

function crossing(before: Density | undefined, step: number, boundary: number): number {
  if (before === undefined) return normalTwoSided(boundary / step);
  const tail = (z: number) => jStat.normal.cdf(-z, 0, 1);
  return before.points.reduce((total, from, index) => {
    const weight = before.weights[index] ?? 0;
    return total + weight * (tail((boundary - from) / step) + tail((boundary + from) / step));
  }, 0);
}

function densityWithin(before: Density | undefined, step: number, boundary: number): Density {
  const width = (2 * boundary) / INTERVALS;
  const points = Array.from({ length: INTERVALS + 1 }, (_, index) => index * width - boundary);
  const normal = (z: number) => jStat.normal.pdf(z / step, 0, 1) / step;
  const weights = points.map((point, index) => {
    const inner = index % 2 === 1 ? 4 : 2;
    const simpson = (width / 3) * (index === 0 || index === INTERVALS ? 1 : inner);
    if (before === undefined) return simpson * normal(point);
    return simpson * before.points.reduce((sum, from, at) => sum + (before.weights[at] ?? 0) * normal(point - from), 0);
  });
  return { points, weights };
}
