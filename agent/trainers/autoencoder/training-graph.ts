/**
 * A step of training as one graph for libtensorflow: the passes that passes.ts takes operation by operation, the elastic
 * net and Adam. What does not depend on each other runs at the same time, a thread each; each operation gives the same
 * bits whenever it runs. Images are rows here, `[batch, pixels]`, as they come; a bias is added to rows.
 */
import { BETA1, BETA2 } from './adam-rule.ts';
import { type Attributes, FLOAT, GraphText, shapeAttribute } from './graph-text.ts';
import { type Layer, layoutOf, ROW } from './model.ts';

export interface GraphSettings {
  readonly lambdaL1: number;
  readonly weightDecay: number;
  readonly l1InGradient: boolean;
}

/** What a run is given. The three of the state are flat: `[rows, ROW]` in the layout's order. */
export const FEEDS = {
  /** `[batch, pixels]` */
  input: 'input',
  /** `[batch, pixels]` */
  target: 'target',
  /** `[2 / (pixels * batch), rate, epsilon]`: the gradient's scale, and Adam's `p -= rate * m / (sqrt(v) + epsilon)`. */
  numbers: 'numbers',
  state: ['new-parameters', 'new-first', 'new-second'],
} as const;

/** What a run may be asked for. */
export const FETCHES = {
  /** Takes a step, and gives its losses `[1, 2]`: mse and l1 before it. */
  losses: 'losses',
  /** sum|parameter|, a scalar. */
  absoluteSum: 'absolute-sum',
  /** Flat: `[1, rows, ROW]`. */
  state: ['parameters', 'first', 'second'],
  /** Puts the state in the place of the one that is there. */
  restored: 'restored',
} as const;

/** A weight or a bias: the variables of its parameters and both moments, and the parameters before the step. */
interface Piece {
  readonly shape: readonly number[];
  readonly variables: readonly string[];
  readonly value: string;
}

/** MatMul, which would take bias and activation in, is no faster, and has other bits with one thread than with several. */
const PRODUCT = 'BatchMatMulV2';
const FLOAT_VALUE: Attributes = { dtype: 'type: DT_FLOAT' };
const REDUCE: Attributes = { ...FLOAT, Tidx: 'type: DT_INT32' };

export function trainingGraph(layers: readonly Layer[], settings: GraphSettings): string {
  const graph = new GraphText();
  const pieces = layers.flatMap(({ inputs, outputs }, i) => [
    piece(graph, `weight-${i}`, [outputs, inputs]),
    piece(graph, `bias-${i}`, [outputs]),
  ]);
  addStep(graph, layers, pieces, settings);
  addState(graph, layers, pieces);
  return graph.toString();
}

function piece(graph: GraphText, name: string, shape: readonly number[]): Piece {
  const variables = FETCHES.state.map((part) =>
    graph.node('VarHandleOp', [], {
      ...FLOAT_VALUE,
      shape: shapeAttribute(shape),
      shared_name: `s: "${name}-${part}"`,
    }),
  );
  return { shape, variables, value: read(graph, at(variables, 0)) };
}

function addStep(graph: GraphText, layers: readonly Layer[], pieces: readonly Piece[], settings: GraphSettings): void {
  const input = graph.placeholder(FEEDS.input);
  const target = graph.placeholder(FEEDS.target);
  const numbers = graph.node('Unpack', [graph.placeholder(FEEDS.numbers)], { ...FLOAT, num: 'i: 3' });
  const activations = forward(graph, layers, pieces, input);
  const error = graph.node('Sub', [at(activations, layers.length), target]);
  const square = mean(graph, mean(graph, graph.node('Square', [error]), 1), 0);
  const absolute = graph.node(
    'AddN',
    pieces.map(({ value, shape }) => absoluteSum(graph, value, shape)),
    { ...FLOAT, N: `i: ${pieces.length}` },
    FETCHES.absoluteSum,
  );

  const { gradients, readers } = backward(graph, layers, pieces, activations, graph.node('Mul', [error, numbers]));

  const l1 = settings.lambdaL1 === 0 ? graph.number(0) : graph.node('Mul', [absolute, graph.number(settings.lambdaL1)]);
  const waits = settings.lambdaL1 === 0 ? [] : [`^${l1}`];
  const beta1 = graph.number(BETA1);
  const beta2 = graph.number(BETA2);
  // No power of a beta: what they correct is in the rate already, in double precision.
  const rule = [graph.number(0), graph.number(0), `${numbers}:1`, beta1, beta2, `${numbers}:2`];
  const updates = pieces.map(({ variables, value }, i) => {
    const gradient = regularised(graph, at(gradients, i), value, settings);
    const inputs = [...variables, ...rule, gradient, ...waits, `^${at(readers, i >> 1)}`];
    return `^${graph.node('ResourceApplyAdam', inputs)}`;
  });
  const losses = graph.node('Pack', [square, l1], { ...FLOAT, N: 'i: 2' });
  graph.node(
    'ExpandDims',
    [losses, graph.integer(0), ...updates],
    { ...FLOAT, Tdim: 'type: DT_INT32' },
    FETCHES.losses,
  );
}

/** @returns the input and each layer's output */
function forward(
  graph: GraphText,
  layers: readonly Layer[],
  pieces: readonly Piece[],
  input: string,
): readonly string[] {
  const activations = [input];
  for (const [i, { activation }] of layers.entries()) {
    const product = graph.node(PRODUCT, [at(activations, i), at(pieces, 2 * i).value], { ...FLOAT, adj_y: 'b: true' });
    const z = graph.node('BiasAdd', [product, at(pieces, 2 * i + 1).value]);
    activations.push(activation === 'linear' ? z : graph.node(activation === 'relu' ? 'Relu' : 'Tanh', [z]));
  }
  return activations;
}

/**
 * @param slope of the loss by the last layer's output
 * @returns each piece's gradient, and for each layer what has to have read its weight before it may change in its place
 */
function backward(
  graph: GraphText,
  layers: readonly Layer[],
  pieces: readonly Piece[],
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
    if (i > 0) delta = graph.node(PRODUCT, [delta, at(pieces, 2 * i).value]);
    readers.unshift(delta);
  }
  return { gradients, readers };
}

/** The gradient of the loss with the elastic net in it. */
function regularised(graph: GraphText, gradient: string, value: string, settings: GraphSettings): string {
  const { lambdaL1, weightDecay, l1InGradient } = settings;
  const terms = [gradient];
  if (weightDecay !== 0) terms.push(graph.node('Mul', [value, graph.number(weightDecay)]));
  if (l1InGradient && lambdaL1 !== 0) {
    terms.push(graph.node('Mul', [graph.node('Sign', [value]), graph.number(lambdaL1)]));
  }
  return terms.length === 1 ? gradient : graph.node('AddN', terms, { ...FLOAT, N: `i: ${terms.length}` });
}

/** The state to and from flat tensors. */
function addState(graph: GraphText, layers: readonly Layer[], pieces: readonly Piece[]): void {
  const layout = layoutOf(layers);
  const padding = layout.rows * ROW - layout.parameters;
  const sizes = graph.integers([...layout.sizes, padding]);
  const row = graph.integers([-1]);
  const zeros = graph.node('Fill', [graph.integers([padding]), graph.number(0)]);
  const shape = graph.integers([1, layout.rows, ROW]);
  const assigned = FEEDS.state.flatMap((feed, part) => {
    const flat = graph.node('Reshape', [graph.placeholder(feed), row]);
    const parts = graph.node('SplitV', [flat, sizes, graph.integer(0)], {
      ...{ ...FLOAT, Tlen: 'type: DT_INT32' },
      num_split: `i: ${pieces.length + 1}`,
    });
    return pieces.map(({ variables, shape }, i) => {
      const own = graph.node('Reshape', [`${parts}:${i}`, graph.integers(shape)]);
      return `^${graph.node('AssignVariableOp', [at(variables, part), own], FLOAT_VALUE)}`;
    });
  });
  graph.node('Identity', [graph.number(0), ...assigned], FLOAT, FETCHES.restored);
  for (const [part, name] of FETCHES.state.entries()) {
    const vectors = pieces.map(({ variables }) => graph.node('Reshape', [read(graph, at(variables, part)), row]));
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

/** A row at a time: float32 in one stage is off by 4e-5. */
function absoluteSum(graph: GraphText, value: string, shape: readonly number[]): string {
  const rows = shape.length === 1 ? graph.node('Abs', [value]) : sum(graph, graph.node('Abs', [value]), 1);
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
