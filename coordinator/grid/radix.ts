/**
 * Mixed radix: index <-> digits, one digit a dimension, the last turning fastest (as nested loops do).
 * Exact while the product of the sizes is at most Number.MAX_SAFE_INTEGER.
 */
export function digitsOf(sizes: readonly number[], index: number): number[] {
  const digits = new Array<number>(sizes.length);
  let rest = index;
  for (let dimension = sizes.length - 1; dimension >= 0; dimension--) {
    const size = sizes[dimension] ?? 1;
    digits[dimension] = rest % size;
    rest = Math.floor(rest / size);
  }
  return digits;
}

export function indexOf(sizes: readonly number[], digits: readonly number[]): number {
  return sizes.reduce((index, size, dimension) => index * size + (digits[dimension] ?? 0), 0);
}
