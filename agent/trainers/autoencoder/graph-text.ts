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

export class GraphText {
  readonly #nodes: string[] = [];

  /**
   * Adds a node.
   * @param inputs names of nodes; `name:1` is a node's second output, and `^name` waits for the node without using its
   * output
   * @returns the node's name
   */
  node(
    op: string,
    inputs: readonly string[],
    attributes: NodeAttributes = FLOAT,
    name = `n${this.#nodes.length}`,
  ): string {
    const sources = inputs.map((input) => ` input: "${input}"`).join('');
    const settings = Object.entries(attributes).map(([key, value]) => ` attr { key: "${key}" value { ${value} } }`);
    this.#nodes.push(`node { name: "${name}" op: "${op}"${sources}${settings.join('')} }`);
    return name;
  }

  /** Adds a float32 constant. */
  number(value: number): string {
    const tensor = `tensor { dtype: DT_FLOAT tensor_shape { } float_val: ${value} }`;
    return this.node('Const', [], { dtype: 'type: DT_FLOAT', value: tensor });
  }

  /** Adds an int32 vector. */
  integers(values: readonly number[]): string {
    const entries = values.map((value) => `int_val: ${value}`).join(' ');
    const tensor = `tensor { dtype: DT_INT32 tensor_shape { dim { size: ${values.length} } } ${entries} }`;
    return this.node('Const', [], { dtype: 'type: DT_INT32', value: tensor });
  }

  /** Adds an int32 constant. */
  integer(value: number): string {
    const tensor = `tensor { dtype: DT_INT32 tensor_shape { } int_val: ${value} }`;
    return this.node('Const', [], { dtype: 'type: DT_INT32', value: tensor });
  }

  /** Adds an input of float32 values of any shape. */
  placeholder(name: string): string {
    return this.node('Placeholder', [], { dtype: 'type: DT_FLOAT', shape: 'shape { unknown_rank: true }' }, name);
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
