/**
 * A training step as one libtensorflow graph: the forward and backward passes (see passes.ts), the elastic net, and
 * Adam. Independent operations run in parallel. The bits of a result do not depend on the order in which operations
 * run. Images are rows here, `[batch, pixels]`.
 */
import { BETA1, BETA2 } from './adam.ts';
import { FLOAT, GraphText, type NodeAttributes, shapeAttribute } from './graph-text.ts';
import { type Layer, parameterLayout, ROW } from './model.ts';

export interface GraphSettings {
  readonly lambdaL1: number;
  readonly weightDecay: number;
  readonly l1InGradient: boolean;
}

/** The inputs of the graph. The state consists of three flat tensors `[rows, ROW]`, in the layout's order. */
export const FEEDS = {
  /** `[batch, pixels]` */
  input: 'input',
  /** `[batch, pixels]` */
  target: 'target',
  /**
   * `[2 / (pixels * batch), rate, epsilon]`: the factor of the gradient, then the rate and the epsilon of Adam's update
   * `p -= rate * m / (sqrt(v) + epsilon)` (with the symbols of adam.ts).
   */
  numbers: 'numbers',
  state: ['new-parameters', 'new-first', 'new-second'],
} as const;

/** The outputs that can be requested from the graph. */
export const FETCHES = {
  /** Trains one step, and returns the losses before its update: one row `[mse, l1]`, in `[1, 2]`. */
  losses: 'losses',
  /** Returns the scalar sum|parameter|. */
  absoluteSum: 'absolute-sum',
  /** The parameters and both moments, each as a flat tensor `[1, rows, ROW]`. */
  state: ['parameters', 'first', 'second'],
  /** Replaces the state with the tensors that are fed. */
  restored: 'restored',
} as const;

interface GraphParameter {
  readonly shape: readonly number[];
  /** The variables of the parameters and both moments. */
  readonly variables: readonly string[];
  /** The node that reads the parameters before the step. */
  readonly value: string;
}

/**
 * The operation of all matrix products. A fused MatMul with bias and activation is no faster, and the bits of its
 * result depend on the number of threads.
 */
const PRODUCT = 'BatchMatMulV2';
const FLOAT_VALUE: NodeAttributes = { dtype: 'type: DT_FLOAT' };
const REDUCE: NodeAttributes = { ...FLOAT, Tidx: 'type: DT_INT32' };

export function trainingGraph(layers: readonly Layer[], settings: GraphSettings): string {
  const graph = new GraphText();
  const parameters = layers.flatMap(({ inputs, outputs }, i) => [
    parameterOf(graph, `weight-${i}`, [outputs, inputs]),
    parameterOf(graph, `bias-${i}`, [outputs]),
  ]);
  addStep(graph, layers, parameters, settings);
  addState(graph, layers, parameters);
  const sums = parameters.map(({ value, shape }) => absoluteSum(graph, value, shape));
  total(graph, sums, FETCHES.absoluteSum);
  return graph.toString();
}

function parameterOf(graph: GraphText, name: string, shape: readonly number[]): GraphParameter {
  const variables = FETCHES.state.map((part) =>
    graph.node('VarHandleOp', [], {
      ...FLOAT_VALUE,
      shape: shapeAttribute(shape),
      shared_name: `s: "${name}-${part}"`,
    }),
  );
  return { shape, variables, value: read(graph, at(variables, 0)) };
}

function addStep(
  graph: GraphText,
  layers: readonly Layer[],
  parameters: readonly GraphParameter[],
  settings: GraphSettings,
): void {
  const input = graph.placeholder(FEEDS.input);
  const target = graph.placeholder(FEEDS.target);
  const numbers = graph.node('Unpack', [graph.placeholder(FEEDS.numbers)], { ...FLOAT, num: 'i: 3' });
  const activations = forward(graph, layers, parameters, input);
  const error = graph.node('Sub', [at(activations, layers.length), target]);
  const square = mean(graph, mean(graph, graph.node('Square', [error]), 1), 0);
  const { gradients, readers } = backward(graph, layers, parameters, activations, graph.node('Mul', [error, numbers]));

  const beta1 = graph.number(BETA1);
  const beta2 = graph.number(BETA2);
  // The powers of the betas are 0, because the learning rate already includes the bias corrections, in double
  // precision.
  const rule = [graph.number(0), graph.number(0), `${numbers}:1`, beta1, beta2, `${numbers}:2`];
  const sums: string[] = [];
  const updates = parameters.map(({ variables, value, shape }, i) => {
    const gradient = at(gradients, i);
    const waits = [`^${at(readers, i >> 1)}`];
    if (settings.lambdaL1 !== 0) {
      const sum = absoluteSum(graph, value, shape, [`^${gradient}`]);
      sums.push(sum);
      waits.push(`^${sum}`);
    }
    const inputs = [...variables, ...rule, regularized(graph, gradient, value, settings), ...waits];
    return `^${graph.node('ResourceApplyAdam', inputs)}`;
  });
  const l1 =
    sums.length === 0 ? graph.number(0) : graph.node('Mul', [total(graph, sums), graph.number(settings.lambdaL1)]);
  const losses = graph.node('Pack', [square, l1], { ...FLOAT, N: 'i: 2' });
  graph.node(
    'ExpandDims',
    [losses, graph.integer(0), ...updates],
    { ...FLOAT, Tdim: 'type: DT_INT32' },
    FETCHES.losses,
  );
}

function forward(
  graph: GraphText,
  layers: readonly Layer[],
  parameters: readonly GraphParameter[],
  input: string,
): readonly string[] {
  const activations = [input];
  for (const [i, { activation }] of layers.entries()) {
    const product = graph.node(PRODUCT, [at(activations, i), at(parameters, 2 * i).value], {
      ...FLOAT,
      adj_y: 'b: true',
    });
    const z = graph.node('BiasAdd', [product, at(parameters, 2 * i + 1).value]);
    activations.push(activation === 'linear' ? z : graph.node(activation === 'relu' ? 'Relu' : 'Tanh', [z]));
  }
  return activations;
}

/** Returns the gradients and, for each layer, the node that must read the layer's weight before Adam overwrites it. */
function backward(
  graph: GraphText,
  layers: readonly Layer[],
  parameters: readonly GraphParameter[],
  activations: readonly string[],
  slope: string,
): { readonly gradients: readonly string[]; readonly readers: readonly string[] } {
  const gradients: string[] = [];
  const readers: string[] = [];
  let delta = slope;
  for (const [i, { activation }] of [...layers.entries()].reverse()) {
    const output = at(activations, i + 1);
    if (activation === 'relu') delta = graph.node('ReluGrad', [delta, output]);
    if (activation === 'tanh') delta = graph.node('TanhGrad', [output, delta]);
    const weightGradient = graph.node(PRODUCT, [delta, at(activations, i)], { ...FLOAT, adj_x: 'b: true' });
    gradients.unshift(weightGradient, graph.node('BiasAddGrad', [delta]));
    if (i > 0) delta = graph.node(PRODUCT, [delta, at(parameters, 2 * i).value]);
    readers.unshift(delta);
  }
  return { gradients, readers };
}

function regularized(graph: GraphText, gradient: string, value: string, settings: GraphSettings): string {
  const { lambdaL1, weightDecay, l1InGradient } = settings;
  const terms = [gradient];
  // Each parameter is regularized when its gradient is known, immediately before its update. Otherwise, the terms of all
  // parameters could be computed first, and could have left the cache at the time of the update.
  const wait = `^${gradient}`;
  if (weightDecay !== 0) terms.push(graph.node('Mul', [value, graph.number(weightDecay), wait]));
  if (l1InGradient && lambdaL1 !== 0) {
    terms.push(graph.node('Mul', [graph.node('Sign', [value, wait]), graph.number(lambdaL1)]));
  }
  return terms.length === 1 ? gradient : total(graph, terms);
}

function total(graph: GraphText, terms: readonly string[], name?: string): string {
  return graph.node('AddN', terms, { ...FLOAT, N: `i: ${terms.length}` }, name);
}

function addState(graph: GraphText, layers: readonly Layer[], parameters: readonly GraphParameter[]): void {
  const layout = parameterLayout(layers);
  const padding = layout.rows * ROW - layout.parameters;
  const sizes = graph.integers([...layout.sizes, padding]);
  const row = graph.integers([-1]);
  const zeros = graph.node('Fill', [graph.integers([padding]), graph.number(0)]);
  const shape = graph.integers([1, layout.rows, ROW]);
  const assigned = FEEDS.state.flatMap((feed, part) => {
    const flat = graph.node('Reshape', [graph.placeholder(feed), row]);
    const parts = graph.node('SplitV', [flat, sizes, graph.integer(0)], {
      ...FLOAT,
      Tlen: 'type: DT_INT32',
      num_split: `i: ${parameters.length + 1}`,
    });
    return parameters.map(({ variables, shape }, i) => {
      const own = graph.node('Reshape', [`${parts}:${i}`, graph.integers(shape)]);
      return `^${graph.node('AssignVariableOp', [at(variables, part), own], FLOAT_VALUE)}`;
    });
  });
  graph.node('Identity', [graph.number(0), ...assigned], FLOAT, FETCHES.restored);
  for (const [part, name] of FETCHES.state.entries()) {
    const vectors = parameters.map(({ variables }) => graph.node('Reshape', [read(graph, at(variables, part)), row]));
    const flat = graph.node('ConcatV2', [...vectors, zeros, graph.integer(0)], {
      ...FLOAT,
      N: `i: ${vectors.length + 1}`,
    });
    graph.node('Reshape', [flat, shape], FLOAT, name);
  }
}

function read(graph: GraphText, variable: string): string {
  return graph.node('ReadVariableOp', [variable], FLOAT_VALUE);
}

function mean(graph: GraphText, values: string, axis: number): string {
  return graph.node('Mean', [values, graph.integer(axis)], REDUCE);
}

/**
 * The sum is computed in two stages, because a sum of float32 in one stage has an error of 4e-5.
 * @param waits the nodes for which the operation waits
 */
function absoluteSum(graph: GraphText, value: string, shape: readonly number[], waits: readonly string[] = []): string {
  const absolute = graph.node('Abs', [value, ...waits]);
  const rows = shape.length === 1 ? absolute : sum(graph, absolute, 1);
  return sum(graph, rows, 0);
}

function sum(graph: GraphText, values: string, axis: number): string {
  return graph.node('Sum', [values, graph.integer(axis)], REDUCE);
}

function at<T>(items: readonly T[], i: number): T {
  const item = items[i];
  if (item === undefined) throw new Error(`the graph has no part ${i}`);
  return item;
}
