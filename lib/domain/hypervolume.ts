/**
 * Computes the hypervolume of points with several objectives, all of which are minimized. The hypervolume is the volume
 * of the region that the points dominate, up to a reference point. It is computed by recursion over limit sets (the WFG
 * algorithm: Lyndon While, Lucas Bradstreet and Luigi Barone, A Fast Way of Calculating Exact Hypervolumes, IEEE
 * Transactions on Evolutionary Computation 16, 2012).
 */

/** One value per objective. Lower is better. */
export type Losses = readonly number[];

/** Returns whether `a` is at least as good as `b` in every objective. Equal points are as good as each other. */
export function isAsGood(a: Losses, b: Losses): boolean {
  // A loop is several times as fast here as `every`, and this comparison takes most of the time of a ranking.
  for (let objective = 0; objective < a.length; objective++) {
    if (!((a[objective] ?? 0) <= (b[objective] ?? Number.POSITIVE_INFINITY))) return false;
  }
  return true;
}

/** Returns the points that no other point dominates. Of equal points, one is returned. */
function nondominated(points: readonly Losses[]): Losses[] {
  const front: Losses[] = [];
  for (const point of points) {
    if (front.some((other) => isAsGood(other, point))) continue;
    const remaining = front.filter((other) => !isAsGood(point, other));
    remaining.push(point);
    front.splice(0, front.length, ...remaining);
  }
  return front;
}

/**
 * Returns the volume that at least one point dominates. A point that is worse than the reference in any objective
 * contributes nothing.
 */
export function hypervolume(points: readonly Losses[], reference: Losses): number {
  const front = nondominated(points.filter((point) => isAsGood(point, reference)));
  if (reference.length === 2) return area(front, reference);
  // The points are sorted by the first objective, so that all points of a limit set have the same value in this
  // objective. A limit set then has one dimension less, and most of its points are dominated and removed.
  front.sort((a, b) => (b[0] ?? 0) - (a[0] ?? 0));
  return front.reduce((sum, point, at) => sum + exclusiveVolume(point, front.slice(at + 1), reference), 0);
}

function area(front: readonly Losses[], [right = 0, top = 0]: Losses): number {
  let height = top;
  let sum = 0;
  for (const [x = 0, y = 0] of front.toSorted(([a = 0], [b = 0]) => a - b)) {
    if (y >= height) continue;
    sum += (right - x) * (height - y);
    height = y;
  }
  return sum;
}

/** Returns the volume that `point` dominates and that no point in `others` dominates. */
export function exclusiveVolume(point: Losses, others: readonly Losses[], reference: Losses): number {
  const own = point.reduce((volume, loss, objective) => volume * ((reference[objective] ?? loss) - loss), 1);
  const limited = others.map((other) => other.map((loss, objective) => Math.max(loss, point[objective] ?? loss)));
  return limited.length === 0 ? own : own - hypervolume(limited, reference);
}
