/** Defines the layers of a network, and the layout of the network's parameters in one flat vector. */
import type { Random } from './random.ts';

export const PIXELS = 28 * 28;

/**
 * The widths of the encoder's layers, except the last layer (the code layer). The decoder has the same widths in
 * reverse order.
 */
const HIDDEN = { 3: [256, 144], 5: [640, 512, 256, 144] } as const;
export type Depth = keyof typeof HIDDEN;

/** The number of values per row of the flat parameter matrix. Its last row is padded with zeros (`parameterLayout`). */
export const ROW = 1024;

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  readonly activation: 'relu' | 'linear' | 'tanh';
}

/**
 * Returns the layers of the encoder, then the layers of the decoder. The code layer is linear, the last layer of the
 * decoder uses tanh, and the other layers use ReLU.
 */
export function layersOf(depth: Depth, latentDim: number): readonly Layer[] {
  const down = [PIXELS, ...HIDDEN[depth], latentDim];
  const widths = [...down, ...down.slice(0, -1).reverse()];
  return widths.slice(1).map((outputs, i): Layer => {
    const activation = i === depth - 1 ? 'linear' : i === widths.length - 2 ? 'tanh' : 'relu';
    return { inputs: widths[i] ?? 0, outputs, activation };
  });
}

export interface ParameterLayout {
  /** For each layer, the number of elements of its weight `[outputs, inputs]` and of its bias `[outputs]`. */
  readonly sizes: readonly number[];
  readonly parameters: number;
  /** The number of rows of the matrix `[rows, ROW]` that stores the flat vector. The last row is padded with zeros. */
  readonly rows: number;
}

/**
 * Returns the layout of the layers' parameters. The padding makes all rows whole, so that half a million parameters can
 * be summed in two stages: first each row, then the sums of the rows. The float32 error of the sum is then 2e-7 instead
 * of 4e-5. The gradients of the padding are zero, so the padding stays zero.
 */
export function parameterLayout(layers: readonly Layer[]): ParameterLayout {
  const sizes = layers.flatMap(({ inputs, outputs }) => [outputs * inputs, outputs]);
  const parameters = sizes.reduce((sum, size) => sum + size, 0);
  return { sizes, parameters, rows: Math.ceil(parameters / ROW) };
}

/**
 * Returns the initial parameters. Weights and biases are drawn uniformly from the interval ±1/sqrt(inputs), as in
 * PyTorch's `nn.Linear`.
 * @returns rows * ROW values, with zeros after the last parameter
 */
export function initialParameters(layers: readonly Layer[], random: Random): Float32Array {
  const { sizes, rows } = parameterLayout(layers);
  const flat = new Float32Array(rows * ROW);
  let at = 0;
  sizes.forEach((size, i) => {
    const bound = 1 / Math.sqrt(layers[i >> 1]?.inputs ?? 1);
    for (const end = at + size; at < end; at++) flat[at] = (2 * random.uniform() - 1) * bound;
  });
  return flat;
}
