/** Normal random numbers by the ziggurat method (Marsaglia and Tsang, "The ziggurat method", 2000), 256 layers. */
import type { Random } from './random.ts';

const LAYERS = 256;
/** Where the tail begins and the area of each layer, for 256 layers: from the paper. */
const BASE = 3.6541528853610088;
const AREA = 0.00492867323399;
/** Places across half a layer: what is left of 32 bits beside the sign and the layer's number. */
const PLACES = 2 ** 23;

const density = (x: number) => Math.exp(-0.5 * x * x);

/** Right edges of the layers, from the base up; edge[i + 1] lies wholly under the curve in layer i. */
const edge = new Float64Array(LAYERS + 1);
edge[0] = AREA / density(BASE);
edge[1] = BASE;
for (let i = 2; i < LAYERS; i++) {
  const below = edge[i - 1] ?? 0;
  edge[i] = Math.sqrt(-2 * Math.log(AREA / below + density(below)));
}
const step = edge.map((x) => x / PLACES).subarray(0, LAYERS);

/** Standard normal, of 24 bits. */
function normal(random: Random): number {
  for (;;) {
    const bits = random.int32();
    // Layer and place come from different bits: sharing them correlates the two (Doornik, 2005).
    const layer = bits & (LAYERS - 1);
    const x = ((bits >> 8) + 0.5) * (step[layer] ?? 0);
    const inner = edge[layer + 1] ?? 0;
    if (Math.abs(x) < inner) return x;
    if (layer === 0) return x < 0 ? -tail(random) : tail(random);
    const low = density(edge[layer] ?? 0);
    if (low + random.uniform() * (density(inner) - low) < density(x)) return x;
  }
}

/** That many normals of mean 0 and the given standard deviation, in the order that they are drawn. */
export function normals(count: number, std: number, random: Random): Float32Array {
  const drawn = new Float32Array(count);
  for (let i = 0; i < count; i++) drawn[i] = normal(random) * std;
  return drawn;
}

/** Beyond the base (Marsaglia, "Generating a variable from the tail of the normal distribution", 1964). */
function tail(random: Random): number {
  for (;;) {
    // 1 - uniform is never 0, so that both logarithms are finite.
    const x = -Math.log(1 - random.uniform()) / BASE;
    const y = -Math.log(1 - random.uniform());
    if (2 * y > x * x) return BASE + x;
  }
}
