/**
 * Sobol sequences, whose points cover a space more evenly than random points (I. M. Sobol', USSR Comput. Math. Math.
 * Phys. 7 (1967)). The points are in the order of Gray codes (I. A. Antonov and V. M. Saleev, same journal, 19 (1979)).
 * They are the points of `scipy.stats.qmc.Sobol(d, scramble=False)`, without the first point.
 */
import { DIRECTIONS } from './sobol-directions.ts';

/** The number of bits of a coordinate, as in SciPy. A Sobol sequence has 2^30 points. */
const BITS = 30;

/** The number of points of a Sobol sequence without its first point. */
export const SOBOL_POINTS = 2 ** BITS - 1;

/** For each dimension after the first: its polynomial, and its initial values m_1, m_2, ... (sobol-directions.ts). */
const INITIAL = DIRECTIONS.trim()
  .split('\n')
  .map((line) => line.split(' ').map(Number));

/** The maximum number of dimensions, which is the maximum number of parameters that vary. */
export const MAX_SOBOL_DIMENSIONS = INITIAL.length + 1;

const cached = new Map<number, readonly number[]>();

/**
 * Returns a coordinate of a point, above 0 and below 1. Point 0 is the center of the space. The origin, with which
 * a Sobol sequence begins, is omitted, because a normal distribution has no finite value at the coordinate 0.
 * @param index the number of the point, from 0 to 2^30 - 2
 * @param dimension the dimension, from 0 to MAX_SOBOL_DIMENSIONS - 1
 * @throws {RangeError} if the dimension is outside this range
 */
export function sobolCoordinate(index: number, dimension: number): number {
  const directions = directionsOf(dimension);
  const position = index + 1;
  const gray = position ^ (position >>> 1);
  let bits = 0;
  for (let bit = 0; bit < BITS; bit++) if ((gray >>> bit) & 1) bits ^= directions[bit] ?? 0;
  return bits / 2 ** BITS;
}

/** Returns the direction numbers v_1, v_2, ... of a dimension as integers: v_k is m_k * 2^(BITS - k). */
function directionsOf(dimension: number): readonly number[] {
  const known = cached.get(dimension);
  if (known !== undefined) return known;
  const initial = dimension === 0 ? [] : INITIAL[dimension - 1];
  if (initial === undefined) throw new RangeError(`a Sobol sequence has no dimension ${dimension}`);
  const directions = dimension === 0 ? unitDirections() : recurrence(initial);
  cached.set(dimension, directions);
  return directions;
}

function unitDirections(): number[] {
  return Array.from({ length: BITS }, (_, bit) => 2 ** (BITS - 1 - bit));
}

/**
 * Continues m_1, m_2, ... by the recurrence of the polynomial (Joe and Kuo, 2008, equation 2). Returns the direction
 * numbers.
 */
function recurrence([polynomial = 1, ...initial]: readonly number[]): number[] {
  const degree = initial.length;
  const m = [...initial];
  for (let k = degree; k < BITS; k++) {
    let next = (m[k - degree] ?? 0) ^ ((m[k - degree] ?? 0) * 2 ** degree);
    for (let i = 1; i < degree; i++) {
      if ((polynomial >>> (degree - i)) & 1) next ^= (m[k - i] ?? 0) * 2 ** i;
    }
    m.push(next);
  }
  return m.map((value, k) => value * 2 ** (BITS - 1 - k));
}
