/**
 * The training steps of a pack as one libtensorflow graph. Each variable contains one weight matrix or bias of all
 * members, and each operation computes all members. The graph holds the training images, so that a loop of steps runs
 * in one call. The inputs of this call are the indices of the images, three numbers per step and member
 * (`PACK_FEEDS.numbers`) and, for denoising runs, the noise. The call returns only the losses. The graph computes the
 * same passes as training-graph.ts, and also updates the parameters. It runs on a CPU or a GPU.
 */
import { BETA1, BETA2 } from './adam.ts';
import { FLOAT, GraphText, INT32, type NodeAttributes, shapeAttribute } from './graph-text.ts';
import { type Layer, PIXELS, parameterLayout, ROW } from './model.ts';
import type { Settings } from './settings.ts';

export interface PackGraphOptions {
  /** The layers of the member with the largest latent dimension. */
  readonly layers: readonly Layer[];
  /** One element per member. */
  readonly members: readonly Pick<Settings, 'lambdaL1' | 'weightDecay' | 'l1InGradient'>[];
  /**
   * Whether all members have the same learning rate and the same number of steps. If so, one fused operation per weight
   * or bias updates all members. Otherwise, this update takes a dozen operations.
   */
  readonly sameRates: boolean;
  /** Whether the loop of steps adds noise to its images. */
  readonly noise: boolean;
  /** The device, such as `CPU:0` or `GPU:0`. */
  readonly device: string;
}

/** The inputs of the graph. */
export const PACK_FEEDS = {
  /** `[members * batch, pixels]`, member by member, for a single step */
  input: 'input',
  /** the clean images, in the same shape */
  target: 'target',
  /**
   * `[steps, 3, members]`: for each step and member, `2 / (pixels * batch)`, and the rate and the epsilon of Adam's
   * update `p -= rate * m / (sqrt(v) + epsilon)` (with the symbols of adam.ts). For a single step, `steps` is 1.
   */
  numbers: 'numbers',
  /** the training images, `[images, pixels]` */
  images: 'new-images',
  /** for a loop: the indices of the images, `[steps, members * batch]`, int32 */
  indices: 'indices',
  /** for a loop with noise: `[steps, members * batch, pixels]` */
  noise: 'noise',
  /** the index of a member in the graph, `[1]`, int32 */
  member: 'member',
  /** the new state of this member: flat tensors `[1, rows, ROW]`, in the layout's order */
  state: ['new-parameters', 'new-first', 'new-second'],
} as const;

/** The outputs that can be requested from the graph. */
export const PACK_FETCHES = {
  /** Trains one step on `input`, and returns the losses before its update: one row `[mse, l1]` per member. */
  losses: 'losses',
  /** Trains a loop of steps on the stored images, and returns the losses of each step: `[steps, members, 2]`. */
  lossesOfSteps: 'losses-of-steps',
  /** Returns sum|parameter| of each member. */
  absoluteSums: 'absolute-sums',
  /** Sets all variables except the images to zero. Must be requested before any other output. */
  initialized: 'initialized',
  /** Stores the input `images` in a variable, for later calls. */
  held: 'held',
  /** Replaces the state of a member with the inputs `state`. */
  restored: 'restored',
  /** The parameters and both moments of a member, each as a flat tensor `[1, rows, ROW]`. */
  state: ['parameters', 'first', 'second'],
} as const;

interface PackParameter {
  /** `[members, outputs, inputs]` for a weight, `[members, 1, outputs]` for a bias. */
  readonly shape: readonly [number, number, number];
  /** The handles of three variables: the weight or bias itself, and its two moments. */
  readonly variables: readonly string[];
}

const PRODUCT = 'BatchMatMulV2';
const FLOAT_VALUE: NodeAttributes = { dtype: 'type: DT_FLOAT' };
const REDUCE: NodeAttributes = { ...FLOAT, Tidx: 'type: DT_INT32' };
const INDEX: NodeAttributes = { Index: 'type: DT_INT32' };
/**
 * The loop selects images by int64 indices, because TensorFlow has no GPU kernel that slices int32 values in GPU
 * memory.
 */
const INT64: NodeAttributes = { T: 'type: DT_INT64' };
const FRAME: NodeAttributes = { frame_name: 's: "steps"', parallel_iterations: 'i: 1' };

export function packGraph(options: PackGraphOptions): string {
  return new PackGraph(options).toString();
}

class PackGraph {
  readonly #graph: GraphText;
  readonly #options: PackGraphOptions;
  readonly #count: number;
  readonly #parameters: readonly PackParameter[];

  constructor(options: PackGraphOptions) {
    this.#options = options;
    this.#graph = new GraphText(options.device);
    this.#count = options.members.length;
    this.#parameters = options.layers.flatMap(({ inputs, outputs }, i) => [
      this.#parameter(`weight-${i}`, [this.#count, outputs, inputs]),
      this.#parameter(`bias-${i}`, [this.#count, 1, outputs]),
    ]);
    this.#addSingleStep();
    this.#addLoop(this.#addImages());
    this.#addState();
  }

  toString(): string {
    return this.#graph.toString();
  }

  #parameter(name: string, shape: readonly [number, number, number]): PackParameter {
    return { shape, variables: PACK_FETCHES.state.map((part) => this.#variable(`${name}-${part}`, shape)) };
  }

  #variable(name: string, shape: readonly number[]): string {
    const attributes = { ...FLOAT_VALUE, shape: shapeAttribute(shape), shared_name: `s: "${name}"` };
    return this.#graph.node('VarHandleOp', [], attributes);
  }

  #addSingleStep(): void {
    const graph = this.#graph;
    const input = this.#perMember(graph.placeholder(PACK_FEEDS.input));
    const target = this.#perMember(graph.placeholder(PACK_FEEDS.target));
    const numbers = this.#reshape(graph.placeholder(PACK_FEEDS.numbers), [3, this.#count]);
    const handles = this.#parameters.map(({ variables }) => variables);
    const { losses, updates, sums } = this.#step({ input, target, numbers, handles });
    graph.node('Identity', [losses, ...updates], FLOAT, PACK_FETCHES.losses);
    graph.node('Identity', [sums], FLOAT, PACK_FETCHES.absoluteSums);
  }

  /** Adds the variable that holds the images, and returns the variable's handle. */
  #addImages(): string {
    const images = this.#variable('images', [-1, PIXELS]);
    const assigned = this.#graph.node(
      'AssignVariableOp',
      [images, this.#graph.placeholder(PACK_FEEDS.images)],
      FLOAT_VALUE,
    );
    this.#graph.node('Identity', [this.#graph.number(0), `^${assigned}`], FLOAT, PACK_FETCHES.held);
    return images;
  }

  /**
   * Adds the loop `for (step = 0; step < steps; step++)`. The loop consists of the primitive operations of TensorFlow's
   * control flow: Enter, Merge, Switch, NextIteration and Exit. Values that do not change enter the loop as constants.
   * Each iteration waits for all updates of the previous iteration.
   */
  #addLoop(images: string): void {
    const graph = this.#graph;
    const given = graph.placeholder(PACK_FEEDS.indices, 'DT_INT32');
    const shape = graph.node('Unpack', [graph.node('Shape', [given], INT32)], { ...INT32, num: 'i: 2' });
    const indices = graph.node('Cast', [given], { SrcT: 'type: DT_INT32', DstT: 'type: DT_INT64' });
    const size = graph.node('Pack', [shape, graph.integer(this.#count), graph.integer(2)], { ...INT32, N: 'i: 3' });
    const empty = graph.node('Fill', [size, graph.number(0)]);

    const constant = (value: string, attributes: NodeAttributes) =>
      graph.node('Enter', [value], { ...attributes, ...FRAME, is_constant: 'b: true' });
    const outer = {
      steps: constant(shape, INT32),
      indices: constant(indices, INT64),
      numbers: constant(PACK_FEEDS.numbers, FLOAT),
      images: constant(this.#read(images), FLOAT),
      noise: this.#options.noise ? constant(graph.placeholder(PACK_FEEDS.noise), FLOAT) : undefined,
      handles: this.#parameters.map(({ variables }) =>
        variables.map((variable) => constant(variable, { T: 'type: DT_RESOURCE' })),
      ),
    };
    // The second input of a Merge is a node at the end of the body. That node is added later, with this name.
    const carried = (start: string, attributes: NodeAttributes, name: string) =>
      graph.node('Merge', [graph.node('Enter', [start], { ...attributes, ...FRAME }), name], {
        ...attributes,
        N: 'i: 2',
      });
    const count = carried(graph.integer(0), INT32, 'next-step');
    const losses = carried(empty, FLOAT, 'next-losses');
    const condition = graph.node('LoopCond', [graph.node('Less', [count, outer.steps], INT32)], {});
    const countSwitch = graph.node('Switch', [count, condition], INT32);
    const lossesSwitch = graph.node('Switch', [losses, condition]);
    graph.node('Exit', [lossesSwitch], FLOAT, PACK_FETCHES.lossesOfSteps);

    const step = graph.node('Identity', [`${countSwitch}:1`], INT32);
    graph.inLoop(step, () => {
      const start2 = graph.node('Pack', [step, graph.integer(0)], { ...INT32, N: 'i: 2' });
      const start3 = graph.node('Pack', [step, graph.integer(0), graph.integer(0)], { ...INT32, N: 'i: 3' });
      const slice = (values: string, start: string, sizes: readonly number[], type: NodeAttributes) =>
        graph.node('Slice', [values, start, graph.integers(sizes)], { ...type, ...INDEX });
      const row = this.#reshape(slice(outer.indices, start2, [1, -1], INT64), [-1], INT64);
      const clean = this.#perMember(
        graph.node('GatherV2', [outer.images, row, graph.integer(0)], {
          Tparams: 'type: DT_FLOAT',
          Tindices: 'type: DT_INT64',
          Taxis: 'type: DT_INT32',
        }),
      );
      const numbers = this.#reshape(slice(outer.numbers, start3, [1, -1, -1], FLOAT), [3, this.#count]);
      const input = outer.noise && this.#noisy(clean, slice(outer.noise, start3, [1, -1, -1], FLOAT));
      const result = this.#step({ input: input ?? clean, target: clean, numbers, handles: outer.handles, after: step });
      graph.node(
        'TensorScatterUpdate',
        [`${lossesSwitch}:1`, this.#reshape(step, [1, 1], INT32), this.#reshape(result.losses, [1, this.#count, 2])],
        { ...FLOAT, Tindices: 'type: DT_INT32' },
        'next-losses-value',
      );
      const next = graph.node('AddV2', [step, graph.integer(1)], INT32);
      graph.node('NextIteration', ['next-losses-value'], FLOAT, 'next-losses');
      graph.node('NextIteration', [next, ...result.updates], INT32, 'next-step');
    });
  }

  #noisy(clean: string, noise: string): string {
    const sum = this.#graph.node('AddV2', [clean, this.#perMember(noise)]);
    return this.#graph.node('ClipByValue', [sum, this.#graph.number(-1), this.#graph.number(1)]);
  }

  /**
   * @param given.input `[members, batch, pixels]`; `target` has the same shape
   * @param given.numbers `[3, members]`
   * @param given.handles for each parameter, the handles of its variables
   * @param given.after the node that must precede the reads of the variables
   */
  #step(given: {
    readonly input: string;
    readonly target: string;
    readonly numbers: string;
    readonly handles: readonly (readonly string[])[];
    readonly after?: string;
  }) {
    const graph = this.#graph;
    const { layers, members } = this.#options;
    const [factor, rate, epsilon] = this.#vectors(given.numbers);
    const values = given.handles.map((handles) => this.#read(at(handles, 0), given.after));
    const activations = this.#forward(given.input, values);
    const error = graph.node('Sub', [at(activations, layers.length), given.target]);
    const square = this.#reduce('Mean', this.#reduce('Mean', graph.node('Square', [error]), 2), 1);
    const sums = graph.node(
      'AddN',
      values.map((value) => this.#reduce('Sum', this.#reduce('Sum', graph.node('Abs', [value]), 2), 1)),
      { ...FLOAT, N: `i: ${values.length}` },
    );
    const l1 = graph.node('Mul', [sums, graph.numbers(members.map(({ lambdaL1 }) => lambdaL1))]);
    const { gradients, readers } = this.#backward(values, activations, graph.node('Mul', [error, factor]));
    const updates = given.handles.map((handles, i) => {
      const gradient = this.#regularized(at(gradients, i), at(values, i));
      const waits = [`^${sums}`, `^${at(readers, i >> 1)}`];
      return this.#options.sameRates
        ? this.#fusedAdam(handles, gradient, rate, epsilon, waits)
        : this.#adam(handles, gradient, rate, epsilon, waits, given.after);
    });
    const losses = graph.node('Pack', [square, l1], { ...FLOAT, N: 'i: 2', axis: 'i: 1' });
    return { losses, sums, updates: updates.flat() };
  }

  /** Splits `[3, members]` into three tensors `[members, 1, 1]`. */
  #vectors(numbers: string): readonly [string, string, string] {
    const rows = this.#graph.node('Unpack', [numbers], { ...FLOAT, num: 'i: 3' });
    const vector = (name: string) => this.#reshape(name, [this.#count, 1, 1]);
    return [vector(rows), vector(`${rows}:1`), vector(`${rows}:2`)];
  }

  #forward(input: string, values: readonly string[]): readonly string[] {
    const activations = [input];
    for (const [i, { activation }] of this.#options.layers.entries()) {
      const product = this.#product(at(activations, i), at(values, 2 * i), { adj_y: 'b: true' });
      const z = this.#graph.node('AddV2', [product, at(values, 2 * i + 1)]);
      activations.push(activation === 'linear' ? z : this.#graph.node(activation === 'relu' ? 'Relu' : 'Tanh', [z]));
    }
    return activations;
  }

  /** Returns the gradients and, for each layer, a node that must run before Adam overwrites the layer's weight. */
  #backward(values: readonly string[], activations: readonly string[], slope: string) {
    const gradients: string[] = [];
    const readers: string[] = [];
    let delta = slope;
    for (const [i, { activation }] of [...this.#options.layers.entries()].reverse()) {
      const output = at(activations, i + 1);
      if (activation === 'relu') delta = this.#graph.node('ReluGrad', [delta, output]);
      if (activation === 'tanh') delta = this.#graph.node('TanhGrad', [output, delta]);
      const weightGradient = this.#product(delta, at(activations, i), { adj_x: 'b: true' });
      gradients.unshift(weightGradient, this.#reduce('Sum', delta, 1, true));
      if (i > 0) delta = this.#product(delta, at(values, 2 * i));
      readers.unshift(delta);
    }
    return { gradients, readers };
  }

  #regularized(gradient: string, value: string): string {
    const { members } = this.#options;
    const terms = [gradient];
    const decays = members.map(({ weightDecay }) => weightDecay);
    const weights = members.map(({ lambdaL1, l1InGradient }) => (l1InGradient ? lambdaL1 : 0));
    if (decays.some((decay) => decay !== 0)) terms.push(this.#graph.node('Mul', [value, this.#factors(decays)]));
    if (weights.some((weight) => weight !== 0)) {
      terms.push(this.#graph.node('Mul', [this.#graph.node('Sign', [value]), this.#factors(weights)]));
    }
    return terms.length === 1 ? gradient : this.#graph.node('AddN', terms, { ...FLOAT, N: `i: ${terms.length}` });
  }

  #factors(values: readonly number[]): string {
    return this.#graph.numbers(values, [this.#count, 1, 1]);
  }

  #fusedAdam(
    handles: readonly string[],
    gradient: string,
    rate: string,
    epsilon: string,
    waits: readonly string[],
  ): readonly string[] {
    const graph = this.#graph;
    const first = (values: string) => {
      const start = graph.integers([0, 0, 0]);
      const one = graph.node('Slice', [values, start, graph.integers([1, 1, 1])], { ...FLOAT, ...INDEX });
      return this.#reshape(one, []);
    };
    const zero = graph.number(0);
    // The powers of the betas are passed as 0, because the learning rate already includes the bias corrections.
    const rule = [zero, zero, first(rate), graph.number(BETA1), graph.number(BETA2), first(epsilon)];
    return [`^${graph.node('ResourceApplyAdam', [...handles, ...rule, gradient, ...waits])}`];
  }

  /** Adam with a rate and an epsilon per member: computes the formula of ResourceApplyAdam with separate operations. */
  #adam(
    handles: readonly string[],
    gradient: string,
    rate: string,
    epsilon: string,
    waits: readonly string[],
    after: string | undefined,
  ): readonly string[] {
    const graph = this.#graph;
    const moment = (part: number, target: string, beta: number) => {
      const old = this.#read(at(handles, part), after);
      const change = graph.node('Mul', [graph.node('Sub', [target, old]), graph.number(1 - Math.fround(beta))]);
      const value = graph.node('AddV2', [old, change]);
      return { value, assigned: `^${graph.node('AssignVariableOp', [at(handles, part), value], FLOAT_VALUE)}` };
    };
    const first = moment(1, gradient, BETA1);
    const second = moment(2, graph.node('Square', [gradient]), BETA2);
    const divisor = graph.node('AddV2', [graph.node('Sqrt', [second.value]), epsilon]);
    const move = graph.node('RealDiv', [graph.node('Mul', [first.value, rate]), divisor]);
    const moved = graph.node('AssignSubVariableOp', [at(handles, 0), move, ...waits], FLOAT_VALUE);
    return [first.assigned, second.assigned, `^${moved}`];
  }

  #addState(): void {
    const graph = this.#graph;
    const layout = parameterLayout(this.#options.layers);
    const padding = layout.rows * ROW - layout.parameters;
    const member = graph.placeholder(PACK_FEEDS.member, 'DT_INT32');
    const sizes = graph.integers([...layout.sizes, padding]);
    const one = graph.integer(1);
    const [zeroed, restored]: [string[], string[]] = [[], []];
    for (const [part, feed] of PACK_FEEDS.state.entries()) {
      const flat = this.#reshape(graph.placeholder(feed), [1, layout.rows * ROW]);
      const parts = graph.node('SplitV', [flat, sizes, one], {
        ...FLOAT,
        Tlen: 'type: DT_INT32',
        num_split: `i: ${this.#parameters.length + 1}`,
      });
      const own = this.#parameters.map(({ variables, shape }, i) => {
        const [, rows, columns] = shape;
        const variable = at(variables, part);
        const zeros = graph.node('Fill', [graph.integers(shape), graph.number(0)]);
        zeroed.push(`^${graph.node('AssignVariableOp', [variable, zeros], FLOAT_VALUE)}`);
        const value = this.#reshape(`${parts}:${i}`, [1, rows, columns]);
        const types = { ...FLOAT_VALUE, Tindices: 'type: DT_INT32' };
        restored.push(`^${graph.node('ResourceScatterUpdate', [variable, member, value], types)}`);
        return this.#reshape(graph.node('ResourceGather', [variable, member], types), [1, rows * columns]);
      });
      const zeros = graph.node('Fill', [graph.integers([1, padding]), graph.number(0)]);
      const all = graph.node('ConcatV2', [...own, zeros, one], { ...FLOAT, N: `i: ${own.length + 1}` });
      graph.node('Reshape', [all, graph.integers([1, layout.rows, ROW])], FLOAT, at(PACK_FETCHES.state, part));
    }
    graph.node('Identity', [graph.number(0), ...zeroed], FLOAT, PACK_FETCHES.initialized);
    graph.node('Identity', [graph.number(0), ...restored], FLOAT, PACK_FETCHES.restored);
  }

  /** Reshapes `[members * batch, pixels]` to `[members, batch, pixels]`. */
  #perMember(rows: string): string {
    return this.#reshape(rows, [this.#count, -1, PIXELS]);
  }

  #reshape(values: string, shape: readonly number[], type: NodeAttributes = FLOAT): string {
    return this.#graph.node('Reshape', [values, this.#graph.integers(shape)], type);
  }

  #product(a: string, b: string, attributes: NodeAttributes = {}): string {
    return this.#graph.node(PRODUCT, [a, b], { ...FLOAT, ...attributes });
  }

  #reduce(op: 'Mean' | 'Sum', values: string, axis: number, keep = false): string {
    return this.#graph.node(op, [values, this.#graph.integer(axis)], { ...REDUCE, keep_dims: `b: ${keep}` });
  }

  #read(variable: string, after?: string): string {
    return this.#graph.node('ReadVariableOp', after === undefined ? [variable] : [variable, `^${after}`], FLOAT_VALUE);
  }
}

function at<T>(items: readonly T[], i: number): T {
  const item = items[i];
  if (item === undefined) throw new Error(`the graph has no part ${i}`);
  return item;
}
