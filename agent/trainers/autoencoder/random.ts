/**
 * Seeded random numbers: a seed gives the same numbers on every agent. The generator is xoshiro128** (Blackman and
 * Vigna, "Scrambled linear pseudorandom number generators", 2021). Its state is initialized by splitmix64 (Steele, Lea
 * and Flood, 2014). Normal numbers are drawn with the ziggurat method (Marsaglia and Tsang, "The ziggurat method",
 * 2000) with 256 layers.
 */

/**
 * The purposes of random numbers. Each purpose has its own stream, so that drawing from one stream does not affect the
 * others.
 */
export const STREAMS = { weights: 1, shuffle: 2, trainNoise: 3, testNoise: 4 } as const;
export type RandomStream = (typeof STREAMS)[keyof typeof STREAMS];

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

  /** @param seed a safe integer, which can be negative */
  constructor(seed: number, stream: RandomStream) {
    // The seed is mixed before it is combined with the stream, so that consecutive seeds never share a stream.
    const start = splitmix64(BigInt.asUintN(64, BigInt(seed))) ^ BigInt(stream);
    const first = splitmix64(start);
    const second = splitmix64(first);
    this.a = Number(first & 0xffffffffn) | 0;
    this.b = Number(first >> 32n) | 0;
    this.c = Number(second & 0xffffffffn) | 0;
    this.d = Number(second >> 32n) | 0;
  }

  /** Returns the generator's state as four 32-bit words for {@link restore}. */
  save(): Int32Array {
    return Int32Array.of(this.a, this.b, this.c, this.d);
  }

  /** Restores the state that {@link save} returned. */
  restore([a = 0, b = 0, c = 0, d = 0]: Int32Array): void {
    [this.a, this.b, this.c, this.d] = [a, b, c, d];
  }

  /** Returns the next 32 bits as a signed integer. */
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

  /** Returns a uniform number in [0, 1) with 32 random bits. */
  uniform(): number {
    return (this.int32() >>> 0) / 2 ** 32;
  }

  /** Shuffles in place (Fisher and Yates). The bias of the 32-bit scaling is at most length / 2^32 per position. */
  shuffle(items: Int32Array): void {
    for (let last = items.length - 1; last > 0; last--) {
      const other = Math.floor(this.uniform() * (last + 1));
      const held = items[last] ?? 0;
      items[last] = items[other] ?? 0;
      items[other] = held;
    }
  }
}

const LAYERS = 256;
/** The start of the tail and the area of each layer, for 256 layers, from Marsaglia and Tsang (2000). */
const BASE = 3.6541528853610088;
const AREA = 0.00492867323399;
/**
 * The number of positions across half a layer. Of 32 random bits, one is the sign, 8 select the layer, and 23 select
 * the position.
 */
const PLACES = 2 ** 23;

const density = (x: number) => Math.exp(-0.5 * x * x);

/** In layer i, every x with |x| < edge[i + 1] is below the curve. */
const edge = new Float64Array(LAYERS + 1);
edge[0] = AREA / density(BASE);
edge[1] = BASE;
for (let i = 2; i < LAYERS; i++) {
  const below = edge[i - 1] ?? 0;
  edge[i] = Math.sqrt(-2 * Math.log(AREA / below + density(below)));
}
const step = edge.map((x) => x / PLACES).subarray(0, LAYERS);

function normal(random: Random): number {
  for (;;) {
    const bits = random.int32();
    // Layer and position use different bits, because shared bits would make them correlated (Doornik, 2005).
    const layer = bits & (LAYERS - 1);
    const x = ((bits >> 8) + 0.5) * (step[layer] ?? 0);
    const inner = edge[layer + 1] ?? 0;
    if (Math.abs(x) < inner) return x;
    if (layer === 0) return x < 0 ? -tail(random) : tail(random);
    const low = density(edge[layer] ?? 0);
    if (low + random.uniform() * (density(inner) - low) < density(x)) return x;
  }
}

/** Draws normal numbers with mean 0 and the given standard deviation. */
export function normals(count: number, std: number, random: Random): Float32Array {
  const drawn = new Float32Array(count);
  for (let i = 0; i < count; i++) drawn[i] = normal(random) * std;
  return drawn;
}

/**
 * Draws from the tail beyond BASE (Marsaglia, "Generating a variable from the tail of the normal distribution", 1964).
 */
function tail(random: Random): number {
  for (;;) {
    const x = -Math.log(1 - random.uniform()) / BASE;
    const y = -Math.log(1 - random.uniform());
    if (2 * y > x * x) return BASE + x;
  }
}
