/** The network's shape, and where each parameter lies in the one flat vector that holds them all. */
import type { Random } from './random.ts';

export const PIXELS = 28 * 28;

/** Widths of the encoder's hidden layers by depth; the decoder mirrors them. */
const HIDDEN = { 3: [256, 144], 5: [640, 512, 256, 144] } as const;
export type Depth = keyof typeof HIDDEN;

/** A row of the flat parameter matrix: parameters are padded with zeros to whole rows, see {@link layoutOf}. */
export const ROW = 1024;

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly activation: 'relu' | 'linear' | 'tanh';
}

/** Layers from the pixels through the code back to the pixels: ReLU, but the code linear and the last tanh. */
export function layersOf(depth: Depth, latentDim: number): readonly Layer[] {
  const down = [PIXELS, ...HIDDEN[depth], latentDim];
  const widths = [...down, ...down.slice(0, -1).reverse()];
  return widths.slice(1).map((outputs, i): Layer => {
    const activation = i === depth - 1 ? 'linear' : i === widths.length - 2 ? 'tanh' : 'relu';
    return { inputs: widths[i] ?? 0, outputs, activation };
  });
}

export interface Layout {
  /** For each layer in turn the elements of its weight `[outputs, inputs]` and of its bias `[outputs]`. */
  readonly sizes: readonly number[];
  readonly parameters: number;
  /** The flat vector is kept as `[rows, ROW]`, filled up with zeros. */
  readonly rows: number;
}

/**
 * Whole rows let a sum over half a million parameters run in two stages; float32 in one stage is off by 4e-5, in two by
 * 2e-7. A padding zero has a zero gradient and stays zero.
 */
export function layoutOf(layers: readonly Layer[]): Layout {
  const sizes = layers.flatMap(({ inputs, outputs }) => [outputs * inputs, outputs]);
  const parameters = sizes.reduce((sum, size) => sum + size, 0);
  return { sizes, parameters, rows: Math.ceil(parameters / ROW) };
}

/**
 * The flat vector at the start: weights and biases uniform in ±1/sqrt(inputs), as PyTorch's `nn.Linear` has them.
 * @returns rows * ROW values, zeros after the last parameter.
 */
export function initialParameters(layers: readonly Layer[], random: Random): Float32Array {
  const { sizes, rows } = layoutOf(layers);
  const flat = new Float32Array(rows * ROW);
  let at = 0;
  sizes.forEach((size, i) => {
    const bound = 1 / Math.sqrt(layers[i >> 1]?.inputs ?? 1);
    for (const end = at + size; at < end; at++) flat[at] = (2 * random.uniform() - 1) * bound;
  });
  return flat;
}
