/**
 * Our own seeded randomness, so that a trial is the same on every agent. The generator is xoshiro128** (Blackman and
 * Vigna, "Scrambled linear pseudorandom number generators", 2021), its state filled by splitmix64 (Steele, Lea and
 * Flood, 2014).
 */

/** What a random number is drawn for. Each has a stream of its own, so that drawing more of one moves no other. */
export const STREAMS = { weights: 1, shuffle: 2, trainNoise: 3, testNoise: 4 } as const;
export type Stream = (typeof STREAMS)[keyof typeof STREAMS];

const UINT64 = (1n << 64n) - 1n;

function splitmix64(state: bigint): bigint {
  let z = (state + 0x9e3779b97f4a7c15n) & UINT64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & UINT64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & UINT64;
  return z ^ (z >> 31n);
}

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** @param seed a safe integer, negative ones too. */
  constructor(seed: number, stream: Stream) {
    // The seed is mixed before the stream is joined to it: neighbouring seeds never share a stream.
    const start = splitmix64(BigInt.asUintN(64, BigInt(seed))) ^ BigInt(stream);
    const first = splitmix64(start);
    const second = splitmix64(first);
    this.a = Number(first & 0xffffffffn) | 0;
    this.b = Number(first >> 32n) | 0;
    this.c = Number(second & 0xffffffffn) | 0;
    this.d = Number(second >> 32n) | 0;
  }

  /** Where the stream stands, as four 32-bit words: {@link restore} goes on from there. */
  save(): Int32Array {
    return Int32Array.of(this.a, this.b, this.c, this.d);
  }

  /** Goes on as the generator did whose {@link save} gave these four words. */
  restore([a = 0, b = 0, c = 0, d = 0]: Int32Array): void {
    [this.a, this.b, this.c, this.d] = [a, b, c, d];
  }

  /** The next 32 bits, as a signed integer. */
  int32(): number {
    const scaled = Math.imul(this.b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9);
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  /** Uniform in [0, 1), of 32 bits. */
  uniform(): number {
    return (this.int32() >>> 0) / 2 ** 32;
  }

  /** Shuffles in place (Fisher and Yates). The 32-bit scaling favours no place by more than length / 2^32. */
  shuffle(items: Int32Array): void {
    for (let last = items.length - 1; last > 0; last--) {
      const other = Math.floor(this.uniform() * (last + 1));
      const held = items[last] ?? 0;
      items[last] = items[other] ?? 0;
      items[other] = held;
    }
  }
}
