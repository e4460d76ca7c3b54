import { lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { SafetensorsFile } from '../../../lib/files/safetensors.ts';
import { BadInputError } from '../../../proto/errors.ts';
import { trawlVersion } from '../../package.ts';
import { type EarlierExport, writeWholeFolder } from '../write-whole.ts';

/** The file with the topology, which `tf.loadLayersModel` of TensorFlow.js reads together with {@link WEIGHTS_FILE}. */
export const TOPOLOGY_FILE = 'model.json';
export const WEIGHTS_FILE = 'group1-shard1of1.bin';

const activations = z
  .array(z.object({ name: z.string().min(1), activation: z.enum(['relu', 'linear', 'tanh']) }))
  .min(1);

interface Dense {
  readonly name: string;
  readonly activation: string;
  readonly inputs: number;
  readonly outputs: number;
  /** The weights in Keras's layout: [inputs, outputs] in row-major order. */
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
}

/** Converts a weight matrix from PyTorch's layout, [outputs, inputs], to Keras's layout, [inputs, outputs]. */
function transposed(weight: Float32Array, outputs: number, inputs: number): Float32Array {
  const kernel = new Float32Array(weight.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) kernel[i * outputs + o] = weight[o * inputs + i] ?? 0;
  }
  return kernel;
}

function listedLayers({ metadata }: SafetensorsFile): z.infer<typeof activations> {
  let list: unknown;
  try {
    list = JSON.parse(metadata.activations ?? 'null');
  } catch {
    list = undefined;
  }
  const parsed = activations.safeParse(list);
  if (parsed.success) return parsed.data;
  throw new BadInputError(
    `the model's metadata does not list its layers: "activations" is ${JSON.stringify(metadata.activations ?? null)}, ` +
      'expected JSON such as [{"name": "encoder.0", "activation": "relu"}]',
  );
}

function floats({ tensors }: SafetensorsFile, name: string, dimensions: number) {
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  if (tensor?.dtype === 'F32' && tensor.shape.length === dimensions) return tensor;
  const found = tensor === undefined ? 'is missing' : `is ${tensor.dtype} [${tensor.shape}]`;
  throw new BadInputError(`the model's tensor ${name} ${found}, expected F32 of ${dimensions} dimensions`);
}

function denseLayers(file: SafetensorsFile): readonly Dense[] {
  let width: number | undefined;
  return listedLayers(file).map(({ name, activation }) => {
    const weight = floats(file, `${name}.weight`, 2);
    const bias = floats(file, `${name}.bias`, 1);
    const [outputs = 0, inputs = 0] = weight.shape;
    if (bias.shape[0] !== outputs || inputs !== (width ?? inputs)) {
      throw new BadInputError(
        `the shapes of the model's layers do not match: ${name}.weight is [${weight.shape}], its bias [${bias.shape}], ` +
          `and the previous layer has ${width ?? inputs} outputs`,
      );
    }
    width = outputs;
    // Some converters interpret a dot in a layer name as a separator of scopes.
    const layer = name.replaceAll('.', '_');
    const kernel = transposed(weight.data, outputs, inputs);
    return { name: layer, activation, inputs, outputs, kernel, bias: bias.data };
  });
}

/** A cheap initializer is enough, because the stored weights replace the initial values. */
const INITIALIZER = { class_name: 'Zeros', config: {} };

function layerConfig({ name, activation, inputs, outputs }: Dense, first: boolean) {
  const config = { name, units: outputs, activation, use_bias: true, dtype: 'float32', trainable: true };
  const initial = { kernel_initializer: INITIALIZER, bias_initializer: INITIALIZER };
  const shape = first ? { batch_input_shape: [null, inputs] } : {};
  return { class_name: 'Dense', config: { ...config, ...initial, ...shape } };
}

export interface LayersModel {
  /** The content of {@link TOPOLOGY_FILE}. */
  readonly topology: object;
  /** The content of {@link WEIGHTS_FILE}, as little-endian float32. */
  readonly weights: Uint8Array;
}

/**
 * Builds a sequence of dense layers, one per entry of the metadata `activations`, from the tensors `<name>.weight`
 * (`[outputs, inputs]`) and `<name>.bias`. Copies the metadata of the file to `userDefinedMetadata`.
 * @param generatedBy the program that wrote the model, with its version
 * @throws {BadInputError} when the file does not describe such a network
 */
export function layersModel(file: SafetensorsFile, generatedBy: string): LayersModel {
  const layers = denseLayers(file);
  const weights = layers.flatMap(({ name, inputs, outputs, kernel, bias }) => [
    { name: `${name}/kernel`, shape: [inputs, outputs], data: kernel },
    { name: `${name}/bias`, shape: [outputs], data: bias },
  ]);
  const topology = {
    format: 'layers-model',
    generatedBy,
    convertedBy: null,
    modelTopology: {
      class_name: 'Sequential',
      config: { name: 'trawl', layers: layers.map((layer, i) => layerConfig(layer, i === 0)) },
      // TensorFlow.js reads the format of Keras 2.1.6.
      keras_version: '2.1.6',
      backend: 'tensor_flow.js',
    },
    weightsManifest: [
      { paths: [WEIGHTS_FILE], weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) },
    ],
    userDefinedMetadata: file.metadata,
  };
  const bytes = weights.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return { topology, weights: Buffer.concat(bytes) };
}

const GENERATED_BY = 'trawl';

const isEarlierModel: EarlierExport = async (dir, names) => {
  if (names.length !== 2 || !names.includes(TOPOLOGY_FILE) || !names.includes(WEIGHTS_FILE)) return false;
  for (const name of names) if (!(await lstat(join(dir, name))).isFile()) return false;
  try {
    const topology: unknown = JSON.parse(await readFile(join(dir, TOPOLOGY_FILE), 'utf8'));
    if (typeof topology !== 'object' || topology === null || !('generatedBy' in topology)) return false;
    return String(topology.generatedBy).startsWith(`${GENERATED_BY} `);
  } catch {
    return false;
  }
};

/**
 * Writes the model into the folder `out` atomically, and replaces an earlier export in this folder.
 * @throws {BadInputError} when the folder contains other files, or the network does not consist of dense layers
 */
export async function writeLayersModel(file: SafetensorsFile, out: string): Promise<void> {
  const { topology, weights } = layersModel(file, `${GENERATED_BY} ${trawlVersion()}`);
  const write = async (dir: string) => {
    await writeFile(join(dir, TOPOLOGY_FILE), `${JSON.stringify(topology, null, 2)}\n`);
    await writeFile(join(dir, WEIGHTS_FILE), weights);
  };
  await writeWholeFolder(out, write, isEarlierModel);
}
