/** A graph of TensorFlow's as libtensorflow reads it: protobuf's text format of a SavedModel with this one graph. */

/** The text of an AttrValue: `type: DT_FLOAT`, `b: true`. */
export type Attributes = Readonly<Record<string, string>>;

/** The tag that the graph is loaded by. */
export const GRAPH_TAG = 'trawl';
/** Of TensorFlow 2.15; libtensorflow reads what an older one has written, and this is what our nodes agree with. */
const PRODUCER = 1645;

export const FLOAT: Attributes = { T: 'type: DT_FLOAT' };

export class GraphText {
  readonly #nodes: string[] = [];

  /**
   * @param inputs names of nodes; `name:1` is a node's second output, `^name` only waits for it
   * @returns its name
   */
  node(op: string, inputs: readonly string[], attributes: Attributes = FLOAT, name = `n${this.#nodes.length}`): string {
    const sources = inputs.map((input) => ` input: "${input}"`).join('');
    const settings = Object.entries(attributes).map(([key, value]) => ` attr { key: "${key}" value { ${value} } }`);
    this.#nodes.push(`node { name: "${name}" op: "${op}"${sources}${settings.join('')} }`);
    return name;
  }

  /** A float32. */
  number(value: number): string {
    const tensor = `tensor { dtype: DT_FLOAT tensor_shape { } float_val: ${value} }`;
    return this.node('Const', [], { dtype: 'type: DT_FLOAT', value: tensor });
  }

  /** A vector of int32. */
  integers(values: readonly number[]): string {
    const entries = values.map((value) => `int_val: ${value}`).join(' ');
    const tensor = `tensor { dtype: DT_INT32 tensor_shape { dim { size: ${values.length} } } ${entries} }`;
    return this.node('Const', [], { dtype: 'type: DT_INT32', value: tensor });
  }

  /** An int32. */
  integer(value: number): string {
    const tensor = `tensor { dtype: DT_INT32 tensor_shape { } int_val: ${value} }`;
    return this.node('Const', [], { dtype: 'type: DT_INT32', value: tensor });
  }

  /** Floats that each run is given, of whatever shape. */
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
