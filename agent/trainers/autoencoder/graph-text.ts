/** Builds a TensorFlow graph in the form that libtensorflow loads: the protobuf text format of a SavedModel. */

/** The attributes of a node: for each name, the text of an AttrValue, such as `type: DT_FLOAT` or `b: true`. */
export type NodeAttributes = Readonly<Record<string, string>>;

/** The tag that identifies the graph when it is loaded. */
export const GRAPH_TAG = 'trawl';
/**
 * The producer version of TensorFlow 2.15. The nodes of the graph match this version. Later versions of libtensorflow
 * can read such a graph.
 */
const PRODUCER = 1645;

export const FLOAT: NodeAttributes = { T: 'type: DT_FLOAT' };

/** The attributes of an operation on int32 values. */
export const INT32: NodeAttributes = { T: 'type: DT_INT32' };

export class GraphText {
  readonly #nodes: string[] = [];
  readonly #device: string | undefined;
  /** While the body of a loop is added, the node that runs once per iteration of the loop; otherwise undefined. */
  #iteration: string | undefined;

  /**
   * @param device the device of all nodes, such as `GPU:0`. If undefined, libtensorflow chooses the device of each
   * node.
   */
  constructor(device?: string) {
    this.#device = device;
  }

  /**
   * Adds a node.
   * @param inputs names of nodes; `name:1` is the second output of a node; with `^name`, the new node waits for a node,
   * but does not use its output
   * @returns the node's name
   */
  node(
    op: string,
    inputs: readonly string[],
    attributes: NodeAttributes = FLOAT,
    name = `n${this.#nodes.length}`,
  ): string {
    const waits = op === 'Const' && this.#iteration !== undefined ? [`^${this.#iteration}`] : [];
    const sources = [...inputs, ...waits].map((input) => ` input: "${input}"`).join('');
    const place = this.#device === undefined ? '' : ` device: "/device:${this.#device}"`;
    const settings = Object.entries(attributes).map(([key, value]) => ` attr { key: "${key}" value { ${value} } }`);
    this.#nodes.push(`node { name: "${name}" op: "${op}"${sources}${place}${settings.join('')} }`);
    return name;
  }

  /** Adds a float32 constant that is a scalar. */
  number(value: number): string {
    const tensor = `tensor { dtype: DT_FLOAT tensor_shape { } float_val: ${value} }`;
    return this.node('Const', [], { dtype: 'type: DT_FLOAT', value: tensor });
  }

  /** Adds a float32 constant with several values, by default a vector. */
  numbers(values: readonly number[], shape: readonly number[] = [values.length]): string {
    const entries = values.map((value) => `float_val: ${value}`).join(' ');
    const tensor = `tensor { dtype: DT_FLOAT tensor_${shapeAttribute(shape)} ${entries} }`;
    return this.node('Const', [], { dtype: 'type: DT_FLOAT', value: tensor });
  }

  /** Adds an int32 constant that is a vector. */
  integers(values: readonly number[]): string {
    const entries = values.map((value) => `int_val: ${value}`).join(' ');
    const tensor = `tensor { dtype: DT_INT32 tensor_shape { dim { size: ${values.length} } } ${entries} }`;
    return this.node('Const', [], { dtype: 'type: DT_INT32', value: tensor });
  }

  /** Adds an int32 constant that is a scalar. */
  integer(value: number): string {
    const tensor = `tensor { dtype: DT_INT32 tensor_shape { } int_val: ${value} }`;
    return this.node('Const', [], { dtype: 'type: DT_INT32', value: tensor });
  }

  /** Adds an input of any shape. */
  placeholder(name: string, type: 'DT_FLOAT' | 'DT_INT32' = 'DT_FLOAT'): string {
    return this.node('Placeholder', [], { dtype: `type: ${type}`, shape: 'shape { unknown_rank: true }' }, name);
  }

  /**
   * Adds the nodes of a loop's body. Each constant in the body gets a control dependency on `iteration`, because a node
   * without any input would belong to no iteration.
   * @param iteration a node that runs once per iteration
   */
  inLoop(iteration: string, addBody: () => void): void {
    this.#iteration = iteration;
    addBody();
    this.#iteration = undefined;
  }

  toString(): string {
    return `saved_model_schema_version: 1
meta_graphs {
  meta_info_def { tags: "${GRAPH_TAG}" }
  graph_def {
${this.#nodes.map((node) => `    ${node}\n`).join('')}    versions { producer: ${PRODUCER} }
  }
}
`;
  }
}

export function shapeAttribute(shape: readonly number[]): string {
  return `shape { ${shape.map((size) => `dim { size: ${size} }`).join(' ')} }`;
}
