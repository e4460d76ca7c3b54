/**
 * The forward and backward passes of a training step as one libtensorflow graph (see passes.ts). Independent operations
 * run in parallel. Results are bitwise equal, regardless of the order in which operations run. Images are rows here,
 * `[batch, pixels]`.
 *
 * The parameters and the gradients are variables whose memory belongs to the caller, who updates the parameters between
 * the calls. The graph does not update the parameters, because libtensorflow has no single operation for Adam with the
 * elastic net. Separate operations would read and write all parameters several times. In an earlier version, they took
 * almost half of the time of a step.
 */
import { FLOAT, GraphText, type NodeAttributes, shapeAttribute } from './graph-text.ts';
import type { Layer } from './model.ts';

/** The inputs of the graph. Parameters are counted from 0: the weight of the first layer, its bias, and so on. */
export const FEEDS = {
  /** `[batch, pixels]` */
  input: 'input',
  /** `[batch, pixels]` */
  target: 'target',
  /** The factor of the gradient, 2 / (pixels * batch). */
  factor: 'factor',
  /** The memory of a parameter: `[outputs, inputs]` or `[outputs]`. */
  parameter: (at: number) => `new-parameter-${at}`,
  /** The memory of a parameter's gradient: `[1, outputs, inputs]` or `[1, outputs]`. */
  gradient: (at: number) => `new-gradient-${at}`,
} as const;

/** The outputs that can be requested from the graph. */
export const FETCHES = {
  /**
   * Assigns the tensors that are fed to the variables. The variables then share the memory of the tensors, if its
   * address is aligned.
   */
  shared: 'shared',
  /** Copies the last parameter to the memory of its gradient. Used to check that the memory is shared. */
  copied: 'copied',
  /** Computes the gradients, and returns the mean squared error of the reconstructions. */
  loss: 'loss',
} as const;

/** The shapes of the parameters, in the order in which they are counted. */
export function parameterShapes(layers: readonly Layer[]): readonly (readonly number[])[] {
  return layers.flatMap(({ inputs, outputs }) => [[outputs, inputs], [outputs]]);
}

/**
 * The operation of all matrix products. A fused MatMul with bias and activation is not faster than separate operations,
 * and the bits of its result depend on the number of threads.
 */
const PRODUCT = 'BatchMatMulV2';
const FLOAT_VALUE: NodeAttributes = { dtype: 'type: DT_FLOAT' };
const REDUCE: NodeAttributes = { ...FLOAT, Tidx: 'type: DT_INT32' };

export function trainingGraph(layers: readonly Layer[]): string {
  const graph = new GraphText();
  const shapes = parameterShapes(layers);
  const handles = shapes.map((shape, i) => ({
    parameter: variable(graph, `parameter-${i}`, shape),
    gradient: variable(graph, `gradient-${i}`, [1, ...shape]),
  }));
  const assigned = handles.flatMap(({ parameter, gradient }, i) => [
    assign(graph, parameter, FEEDS.parameter(i)),
    assign(graph, gradient, FEEDS.gradient(i)),
  ]);
  graph.node('Identity', [graph.number(0), ...assigned], FLOAT, FETCHES.shared);
  const parameters = handles.map(({ parameter }) => read(graph, parameter));
  const write = (values: string, i: number) => overwrite(graph, at(handles, i).gradient, values);
  const last = shapes.length - 1;
  graph.node('Identity', [graph.number(0), write(at(parameters, last), last)], FLOAT, FETCHES.copied);

  const input = graph.placeholder(FEEDS.input);
  const target = graph.placeholder(FEEDS.target);
  const activations = forward(graph, layers, parameters, input);
  const error = graph.node('Sub', [at(activations, layers.length), target]);
  const square = mean(graph, mean(graph, graph.node('Square', [error]), 1), 0);
  const slope = graph.node('Mul', [error, graph.placeholder(FEEDS.factor)]);
  const gradients = backward(graph, layers, parameters, activations, slope);
  graph.node('Identity', [square, ...gradients.map(write)], FLOAT, FETCHES.loss);
  return graph.toString();
}

function forward(
  graph: GraphText,
  layers: readonly Layer[],
  parameters: readonly string[],
  input: string,
): readonly string[] {
  const activations = [input];
  for (const [i, { activation }] of layers.entries()) {
    const product = graph.node(PRODUCT, [at(activations, i), at(parameters, 2 * i)], {
      ...FLOAT,
      adj_y: 'b: true',
    });
    const z = graph.node('BiasAdd', [product, at(parameters, 2 * i + 1)]);
    activations.push(activation === 'linear' ? z : graph.node(activation === 'relu' ? 'Relu' : 'Tanh', [z]));
  }
  return activations;
}

/** Returns the gradients of the parameters. */
function backward(
  graph: GraphText,
  layers: readonly Layer[],
  parameters: readonly string[],
  activations: readonly string[],
  slope: string,
): readonly string[] {
  const gradients: string[] = [];
  let delta = slope;
  for (const [i, { activation }] of [...layers.entries()].reverse()) {
    const output = at(activations, i + 1);
    if (activation === 'relu') delta = graph.node('ReluGrad', [delta, output]);
    if (activation === 'tanh') delta = graph.node('TanhGrad', [output, delta]);
    const weightGradient = graph.node(PRODUCT, [delta, at(activations, i)], { ...FLOAT, adj_x: 'b: true' });
    gradients.unshift(weightGradient, graph.node('BiasAddGrad', [delta]));
    if (i > 0) delta = graph.node(PRODUCT, [delta, at(parameters, 2 * i)]);
  }
  return gradients;
}

/** @returns the handle of the variable */
function variable(graph: GraphText, name: string, shape: readonly number[]): string {
  const attributes = { ...FLOAT_VALUE, shape: shapeAttribute(shape), shared_name: `s: "${name}"` };
  return graph.node('VarHandleOp', [], attributes);
}

function read(graph: GraphText, handle: string): string {
  return graph.node('ReadVariableOp', [handle], FLOAT_VALUE);
}

/** @returns the node to wait for */
function assign(graph: GraphText, handle: string, feed: string): string {
  return `^${graph.node('AssignVariableOp', [handle, graph.placeholder(feed)], FLOAT_VALUE)}`;
}

/**
 * Writes values into the memory of a variable. Operations that update variables would first copy memory that does not
 * belong to libtensorflow. InplaceUpdate overwrites the first row of its input tensor without a copy, regardless of the
 * owner of the memory.
 * @returns the node to wait for
 */
function overwrite(graph: GraphText, handle: string, values: string): string {
  const row = graph.node('ExpandDims', [values, graph.integer(0)], { ...FLOAT, Tdim: 'type: DT_INT32' });
  return `^${graph.node('InplaceUpdate', [read(graph, handle), graph.integers([0]), row])}`;
}

function mean(graph: GraphText, values: string, axis: number): string {
  return graph.node('Mean', [values, graph.integer(axis)], REDUCE);
}

function at<T>(items: readonly T[], i: number): T {
  const item = items[i];
  if (item === undefined) throw new Error(`the graph has no part ${i}`);
  return item;
}
