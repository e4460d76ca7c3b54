/** How an epoch is cut into steps. */

/** The images of each step, in the order given; the last batch is as short as it comes out. */
export function* batchesOf(order: Int32Array, batchSize: number): Generator<Int32Array> {
  for (let from = 0; from < order.length; from += batchSize) yield order.slice(from, from + batchSize);
}
