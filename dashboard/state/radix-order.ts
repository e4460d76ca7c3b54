const BITS = 16;
const BUCKETS = 1 << BITS;
const PASSES = 64 / BITS;
const SIGN = 0x8000;

/**
 * The order of numbers, as their indices; equals stay as they are. A radix sort over the bits of the doubles, two bytes
 * at a time: less than half the time of comparing, for the hundred thousand rows of a very large sweep.
 * @param values no NaN
 */
export function radixOrder(values: Float64Array, descending: boolean): Uint32Array {
  const n = values.length;
  // Four 16-bit digits a number, the least significant first, so that their order as integers is the numbers' order.
  const own = values.slice();
  const digits = new Uint16Array(own.buffer);
  for (let i = 0; i < n; i++) {
    // Minus zero is zero.
    if (own[i] === 0) own[i] = 0;
    const top = i * PASSES + PASSES - 1;
    const negative = ((digits[top] ?? 0) & SIGN) !== 0;
    for (let d = 0; d < PASSES; d++) {
      const at = i * PASSES + d;
      const flip = negative ? 0xffff : d === PASSES - 1 ? SIGN : 0;
      const digit = (digits[at] ?? 0) ^ flip;
      digits[at] = descending ? digit ^ 0xffff : digit;
    }
  }
  let from = new Uint32Array(n);
  for (let i = 0; i < n; i++) from[i] = i;
  let to = new Uint32Array(n);
  const starts = new Uint32Array(BUCKETS + 1);
  for (let d = 0; d < PASSES; d++) {
    starts.fill(0);
    for (let i = 0; i < n; i++) {
      const next = (digits[i * PASSES + d] ?? 0) + 1;
      starts[next] = (starts[next] ?? 0) + 1;
    }
    for (let b = 0; b < BUCKETS; b++) starts[b + 1] = (starts[b + 1] ?? 0) + (starts[b] ?? 0);
    for (let at = 0; at < n; at++) {
      const i = from[at] ?? 0;
      const digit = digits[i * PASSES + d] ?? 0;
      to[starts[digit] ?? 0] = i;
      starts[digit] = (starts[digit] ?? 0) + 1;
    }
    [from, to] = [to, from];
  }
  return from;
}
