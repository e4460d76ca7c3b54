/**
 * The same network in plain float64 loops, written from the protocol alone: it shares the list of layers with the
 * trainer, and nothing else. Tests hold the trainer to it.
 */
import { type Layer, layersOf } from './model.ts';
import type { Settings } from './settings.ts';

/** A layer and where its weight `[outputs, inputs]` and then its bias begin in the flat vector. */
interface Dense extends Layer {
  readonly weight: number;
  readonly bias: number;
}

export class ReferenceNetwork {
  private readonly settings: Settings;
  private readonly layers: readonly Dense[];
  private readonly parameters: Float64Array;
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private steps = 0;

  constructor(settings: Settings, initial: ArrayLike<number>) {
    this.settings = settings;
    let at = 0;
    this.layers = layersOf(settings.depth, settings.latentDim).map((layer) => {
      const weight = at;
      const bias = weight + layer.outputs * layer.inputs;
      at = bias + layer.outputs;
      return { ...layer, weight, bias };
    });
    this.parameters = Float64Array.from(initial).subarray(0, at);
    this.first = new Float64Array(at);
    this.second = new Float64Array(at);
  }

  /** One step on `batch` images of 784 pixels each; the losses before it. */
  step(input: Float32Array, target: Float32Array, batch: number): { mse: number; l1: number } {
    const gradient = new Float64Array(this.parameters.length);
    let squares = 0;
    for (let image = 0; image < batch; image++) {
      const pixels = (of: Float32Array) => Float64Array.from(of.subarray(image * 784, (image + 1) * 784));
      squares += this.accumulate(pixels(input), pixels(target), 2 / (batch * 784), gradient);
    }
    const l1 = this.settings.lambdaL1 * this.parameters.reduce((sum, p) => sum + Math.abs(p), 0);
    this.update(gradient);
    return { mse: squares / (batch * 784), l1 };
  }

  /** Of one image: adds its share to the gradient, and returns its sum of squared errors. */
  private accumulate(input: Float64Array, target: Float64Array, scale: number, gradient: Float64Array): number {
    const p = this.parameters;
    const outputs = [input];
    for (const { inputs, outputs: size, activation, weight, bias } of this.layers) {
      const x = outputs[outputs.length - 1] as Float64Array;
      const y = new Float64Array(size);
      for (let o = 0; o < size; o++) {
        let z = p[bias + o] as number;
        for (let i = 0; i < inputs; i++) z += (p[weight + o * inputs + i] as number) * (x[i] as number);
        y[o] = activation === 'relu' ? Math.max(0, z) : activation === 'tanh' ? Math.tanh(z) : z;
      }
      outputs.push(y);
    }

    const output = outputs[outputs.length - 1] as Float64Array;
    const errors = output.map((y, i) => y - (target[i] as number));
    let delta = errors.map((error) => scale * error);
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { inputs, activation, weight, bias } = this.layers[l] as Dense;
      const [x, y] = [outputs[l] as Float64Array, outputs[l + 1] as Float64Array];
      const below = new Float64Array(inputs);
      for (const [o, value] of delta.entries()) {
        const slope = activation === 'relu' ? Number((y[o] as number) > 0) : 1 - (y[o] as number) ** 2;
        const d = activation === 'linear' ? value : value * slope;
        gradient[bias + o] = (gradient[bias + o] as number) + d;
        for (let i = 0; i < inputs; i++) {
          const at = weight + o * inputs + i;
          gradient[at] = (gradient[at] as number) + d * (x[i] as number);
          below[i] = (below[i] as number) + d * (p[at] as number);
        }
      }
      delta = below;
    }
    return errors.reduce((sum, error) => sum + error ** 2, 0);
  }

  /** torch.optim.Adam, line by line. */
  private update(gradient: Float64Array): void {
    this.steps++;
    const { learningRate, weightDecay, lambdaL1, l1InGradient } = this.settings;
    const { parameters: p, first: m, second: v } = this;
    for (let i = 0; i < p.length; i++) {
      const value = p[i] as number;
      let g = gradient[i] as number;
      if (l1InGradient) g += lambdaL1 * Math.sign(value);
      g += weightDecay * value;
      m[i] = 0.9 * (m[i] as number) + 0.1 * g;
      v[i] = 0.999 * (v[i] as number) + 0.001 * g * g;
      const mean = (m[i] as number) / (1 - 0.9 ** this.steps);
      const denominator = Math.sqrt(v[i] as number) / Math.sqrt(1 - 0.999 ** this.steps) + 1e-8;
      p[i] = value - (learningRate * mean) / denominator;
    }
  }

  /** How far the given parameters are off at most, as a share of the largest parameter of their layer's weight or bias. */
  largestDifference(parameters: ArrayLike<number>): number {
    const { layers, parameters: p } = this;
    const bounds = [...layers.flatMap(({ weight, bias }) => [weight, bias]), p.length];
    return Math.max(
      ...bounds.slice(0, -1).map((from, i) => {
        const expected = p.subarray(from, bounds[i + 1]);
        const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
        const off = expected.reduce(
          (max, value, k) => Math.max(max, Math.abs(value - Number(parameters[from + k]))),
          0,
        );
        return off / largest;
      }),
    );
  }
}
