/** Decides which reports of a trial's attempts form its curve. */

/**
 * Returns the last epoch that each attempt contributes to the curve. The keys of the map are the numbers of the
 * attempts. An attempt that resumed from a checkpoint continues the curve from the checkpoint. An attempt that started
 * from scratch (epoch 0) replaces the curve.
 * @param attempts the attempts with reports, in order
 */
export function curveBounds(
  attempts: readonly { readonly number: number; readonly resumedFrom: number }[],
): ReadonlyMap<number, number> {
  const bounds = new Map<number, number>();
  let bound = Number.POSITIVE_INFINITY;
  for (const { number, resumedFrom } of attempts.toReversed()) {
    bounds.set(number, bound);
    bound = Math.min(bound, resumedFrom);
  }
  return bounds;
}
