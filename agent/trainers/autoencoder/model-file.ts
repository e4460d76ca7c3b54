/** The trained network as a safetensors file with PyTorch's names and layouts, for programs other than this one. */
import { type SafeTensor, writeSafetensors } from '../../../lib/files/safetensors.ts';
import type { Trial } from './checkpoint.ts';
import { type Layer, layoutOf } from './model.ts';

/** How a byte of an image becomes what the network sees, in the file's metadata. */
const PIXEL_SCALING = 'x / 127.5 - 1: bytes 0..255 become -1..1';

/** `encoder.0`, `encoder.1`, ..., `decoder.0`, ...: one name a layer; the code is the last of the encoder. */
function layerNames(layers: readonly Layer[]): readonly string[] {
  const depth = layers.length / 2;
  return layers.map((_, i) => (i < depth ? `encoder.${i}` : `decoder.${i - depth}`));
}

/**
 * The model's file: of each layer `<name>.weight` `[outputs, inputs]` and `<name>.bias` `[outputs]`, F32. Its metadata
 * tells how to compute with them: `activations` is a JSON list of `{name, activation}` from the input to the output.
 * @param flat all parameters in the layout's order.
 */
export function writeModel({ seed, parameters }: Trial, layers: readonly Layer[], flat: Float32Array): Uint8Array {
  const names = layerNames(layers);
  const tensors: [string, SafeTensor][] = [];
  let at = 0;
  layoutOf(layers).sizes.forEach((size, i) => {
    const data = flat.subarray(at, at + size);
    at += size;
    const { inputs = 0, outputs = 0 } = layers[i >> 1] ?? {};
    const name = names[i >> 1];
    const [part, shape] = i % 2 === 0 ? (['weight', [outputs, inputs]] as const) : (['bias', [outputs]] as const);
    tensors.push([`${name}.${part}`, { dtype: 'F32', shape, data }]);
  });
  const activations = layers.map(({ activation }, i) => ({ name: names[i], activation }));
  return writeSafetensors({
    tensors: Object.fromEntries(tensors),
    metadata: {
      trainer: 'autoencoder',
      parameters: JSON.stringify(parameters),
      seed: `${seed}`,
      activations: JSON.stringify(activations),
      pixels: PIXEL_SCALING,
    },
  });
}
