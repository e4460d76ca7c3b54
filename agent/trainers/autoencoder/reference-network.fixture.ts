/**
 * The network of the study (docs/study.md) in plain float64 loops, written from the study's protocol. The
 * implementation shares no code with the trainer, so that tests can compare the two.
 */

/** The settings on which the network of a trial depends. */
export interface Protocol {
  readonly depth: 3 | 5;
  readonly latentDim: number;
  readonly lambdaL1: number;
  readonly weightDecay: number;
  readonly learningRate: number;
  readonly l1InGradient: boolean;
}

type Shape = readonly [inputs: number, outputs: number, then: 'relu' | 'linear' | 'tanh'];

const LAYERS: { readonly [depth in Protocol['depth']]: (d: number) => readonly Shape[] } = {
  3: (d) => [
    [784, 256, 'relu'],
    [256, 144, 'relu'],
    [144, d, 'linear'],
    [d, 144, 'relu'],
    [144, 256, 'relu'],
    [256, 784, 'tanh'],
  ],
  5: (d) => [
    [784, 640, 'relu'],
    [640, 512, 'relu'],
    [512, 256, 'relu'],
    [256, 144, 'relu'],
    [144, d, 'linear'],
    [d, 144, 'relu'],
    [144, 256, 'relu'],
    [256, 512, 'relu'],
    [512, 640, 'relu'],
    [640, 784, 'tanh'],
  ],
};

interface Dense {
  readonly inputs: number;
  readonly outputs: number;
  readonly then: Shape[2];
  readonly weight: number;
  readonly bias: number;
}

export interface Batch {
  /** The network's input. Like `target`, it holds the images one after the other, with 784 pixels each. */
  readonly input: ArrayLike<number>;
  readonly target: ArrayLike<number>;
  readonly images: number;
}

export class ReferenceNetwork {
  private readonly protocol: Protocol;
  private readonly layers: readonly Dense[];
  /** The parameters of all layers. For each layer, they contain the weight matrix, row by row, and then the bias. */
  readonly parameters: Float64Array;
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private steps = 0;

  /** @param initial the initial values of `parameters`; additional values at the end are ignored */
  constructor(protocol: Protocol, initial: ArrayLike<number>) {
    this.protocol = protocol;
    let at = 0;
    this.layers = LAYERS[protocol.depth](protocol.latentDim).map(([inputs, outputs, then]) => {
      const weight = at;
      const bias = weight + outputs * inputs;
      at = bias + outputs;
      return { inputs, outputs, then, weight, bias };
    });
    this.parameters = Float64Array.from(initial).subarray(0, at);
    if (this.parameters.length < at) throw new Error(`expected ${at} parameters, got ${initial.length}`);
    this.first = new Float64Array(at);
    this.second = new Float64Array(at);
  }

  /** The indexes in `parameters` at which each weight and each bias starts, followed by the length of `parameters`. */
  get bounds(): readonly number[] {
    return [...this.layers.flatMap(({ weight, bias }) => [weight, bias]), this.parameters.length];
  }

  /** Trains one step, and returns the losses before the step. */
  step(batch: Batch): { mse: number; l1: number } {
    const losses = this.losses(batch);
    this.update(this.gradient(batch));
    return losses;
  }

  /** Returns the mean squared error per pixel, and lambda_l1 * sum|parameter|. */
  losses({ input, target, images }: Batch): { mse: number; l1: number } {
    let squares = 0;
    for (let image = 0; image < images; image++) {
      const output = this.forward(pixelsOf(input, image)).at(-1) as Float64Array;
      for (const [i, y] of output.entries()) squares += (y - (target[image * 784 + i] as number)) ** 2;
    }
    const l1 = this.protocol.lambdaL1 * this.parameters.reduce((sum, p) => sum + Math.abs(p), 0);
    return { mse: squares / (images * 784), l1 };
  }

  /** Returns the gradient of the mean squared error with respect to each parameter. */
  gradient({ input, target, images }: Batch): Float64Array {
    const gradient = new Float64Array(this.parameters.length);
    for (let image = 0; image < images; image++)
      this.accumulate(pixelsOf(input, image), pixelsOf(target, image), 2 / (images * 784), gradient);
    return gradient;
  }

  private forward(image: Float64Array): readonly Float64Array[] {
    const p = this.parameters;
    const outputs = [image];
    let x = image;
    for (const { inputs, outputs: size, then, weight, bias } of this.layers) {
      const y = new Float64Array(size);
      for (let o = 0; o < size; o++) {
        let z = p[bias + o] as number;
        for (let i = 0; i < inputs; i++) z += (p[weight + o * inputs + i] as number) * (x[i] as number);
        y[o] = then === 'relu' ? Math.max(0, z) : then === 'tanh' ? Math.tanh(z) : z;
      }
      outputs.push(y);
      x = y;
    }
    return outputs;
  }

  private accumulate(input: Float64Array, target: Float64Array, scale: number, gradient: Float64Array): void {
    const p = this.parameters;
    const outputs = this.forward(input);
    let delta = (outputs.at(-1) as Float64Array).map((y, i) => scale * (y - (target[i] as number)));
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { inputs, then, weight, bias } = this.layers[l] as Dense;
      const [x, y] = [outputs[l] as Float64Array, outputs[l + 1] as Float64Array];
      const below = new Float64Array(inputs);
      for (const [o, value] of delta.entries()) {
        const slope = then === 'relu' ? Number((y[o] as number) > 0) : then === 'tanh' ? 1 - (y[o] as number) ** 2 : 1;
        const d = value * slope;
        gradient[bias + o] = (gradient[bias + o] as number) + d;
        for (let i = 0; i < inputs; i++) {
          const at = weight + o * inputs + i;
          gradient[at] = (gradient[at] as number) + d * (x[i] as number);
          below[i] = (below[i] as number) + d * (p[at] as number);
        }
      }
      delta = below;
    }
  }

  /** Updates the parameters as torch.optim.Adam does. */
  private update(gradient: Float64Array): void {
    this.steps++;
    const { learningRate, weightDecay, lambdaL1, l1InGradient } = this.protocol;
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
}

function pixelsOf(images: ArrayLike<number>, image: number): Float64Array {
  return Float64Array.from({ length: 784 }, (_, i) => images[image * 784 + i] as number);
}
