/** Computes the rungs of successive halving. */

/** The largest possible rung. */
export const MAX_RUNG = 1_000_000_000;

/**
 * Returns the rungs `first`, `first * eta`, `first * eta^2`, ... below the limit, as whole numbers in ascending order.
 */
export function risingRungs(first: number, eta: number, limit = MAX_RUNG + 1): number[] {
  const rungs = new Set<number>();
  for (let step = first; Math.floor(step) < limit; step *= eta) rungs.add(Math.floor(step));
  return [...rungs];
}

/** Returns the rungs `last / eta`, `last / eta^2`, ...: at most `count` rungs, each at least 1, in ascending order. */
export function fallingRungs(last: number, eta: number, count: number): number[] {
  const rungs = new Set<number>();
  let step = last / eta;
  for (let made = 0; made < count && step >= 1; made++) {
    rungs.add(Math.floor(step));
    step /= eta;
  }
  return [...rungs].reverse();
}

/**
 * Returns the highest rung that a position has reached. Undefined if the position is below the first rung.
 */
export function reachedRung(rungs: readonly number[], position: number): number | undefined {
  return rungs.findLast((rung) => rung <= position);
}
