const BITS = 16;
const BUCKETS = 1 << BITS;
const PASSES = 64 / BITS;
const SIGN = 0x8000;

let workspace = workspaceFor(0);
const starts = new Uint32Array(BUCKETS + 1);

function workspaceFor(n: number) {
  const values = new Float64Array(n);
  return { values, digits: new Uint16Array(values.buffer), from: new Uint32Array(n), to: new Uint32Array(n) };
}

/**
 * Returns the indices of numbers in sorted order. Uses a stable radix sort over the bits of the doubles, two bytes at a
 * time. For 100,000 rows, the radix sort takes less than half the time of a comparison sort.
 * @param values the numbers; NaN is not allowed
 * @returns an array that the next call overwrites
 */
export function radixOrder(values: Float64Array, descending: boolean): Uint32Array {
  const n = values.length;
  if (workspace.values.length < n) workspace = workspaceFor(n);
  const { digits } = workspace;
  workspace.values.set(values);
  toDigits(workspace.values, digits, n, descending);
  let from = workspace.from.subarray(0, n);
  let to = workspace.to.subarray(0, n);
  for (let i = 0; i < n; i++) from[i] = i;
  for (let d = 0; d < PASSES; d++) {
    if (!countStarts(digits, d, n)) continue;
    for (let at = 0; at < n; at++) {
      const i = from[at] as number;
      const digit = digits[i * PASSES + d] as number;
      const place = starts[digit] as number;
      to[place] = i;
      starts[digit] = place + 1;
    }
    [from, to] = [to, from];
  }
  return from;
}

/**
 * Writes the digits of each number, least significant first. The order of the digits, compared as unsigned integers, is
 * the requested order of the numbers.
 */
function toDigits(own: Float64Array, digits: Uint16Array, n: number, descending: boolean): void {
  for (let i = 0; i < n; i++) {
    if (own[i] === 0) own[i] = 0;
    const top = i * PASSES + PASSES - 1;
    const negative = ((digits[top] as number) & SIGN) !== 0;
    for (let d = 0; d < PASSES; d++) {
      const at = i * PASSES + d;
      const flip = negative ? 0xffff : d === PASSES - 1 ? SIGN : 0;
      const digit = (digits[at] as number) ^ flip;
      digits[at] = descending ? digit ^ 0xffff : digit;
    }
  }
}

/**
 * Computes where each bucket of one pass starts. Returns false if the pass can be skipped because all digits are equal.
 * The low digits are often equal, for example for integers.
 */
function countStarts(digits: Uint16Array, d: number, n: number): boolean {
  starts.fill(0);
  for (let i = 0; i < n; i++) {
    const next = (digits[i * PASSES + d] as number) + 1;
    starts[next] = (starts[next] as number) + 1;
  }
  if (n > 0 && starts[(digits[d] as number) + 1] === n) return false;
  for (let b = 0; b < BUCKETS; b++) starts[b + 1] = (starts[b + 1] as number) + (starts[b] as number);
  return true;
}
