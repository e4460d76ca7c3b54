/** How an epoch is cut into steps. */

/**
 * The images of each step: a batch of each member's order, one member after the other. The last batch is as short as it
 * comes out.
 * @param orders one a member, equally long
 */
export function* batchesOf(orders: readonly Int32Array[], batchSize: number): Generator<Int32Array> {
  const images = orders[0]?.length ?? 0;
  for (let from = 0; from < images; from += batchSize) {
    const size = Math.min(batchSize, images - from);
    const batch = new Int32Array(size * orders.length);
    for (const [at, order] of orders.entries()) batch.set(order.subarray(from, from + size), at * size);
    yield batch;
  }
}
