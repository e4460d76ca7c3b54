/**
 * Reconstructions of ten test images, one per class. The same images are reconstructed in every epoch and every trial.
 */
import * as tf from '@tensorflow/tfjs-core';
import { encode } from 'fast-png';
import { type SafeTensor, writeSafetensors } from '../../../lib/files/safetensors.ts';
import type { LabeledImages } from '../../data/load.ts';
import type { TestSet } from './evaluation.ts';
import { bytesOf } from './images.ts';
import { PIXELS } from './model.ts';

const CLASSES = 10;
const SHAPE = [CLASSES, 28, 28];

/**
 * Returns whether an epoch's reconstructions are kept. Reconstructions are kept at epochs 1, 1 + every, 1 + 2 every,
 * ..., and at the last epoch. If `every` is 0, none are kept.
 */
export function isReconstructed(epoch: number, every: number, epochs: number): boolean {
  return every > 0 && ((epoch - 1) % every === 0 || epoch === epochs);
}

function firstOfEachClass(labels: Uint8Array): readonly number[] {
  return Array.from({ length: CLASSES }, (_, label) => {
    const first = labels.indexOf(label);
    if (first < 0) throw new Error(`there is no test image of class ${label}`);
    return first;
  });
}

export class ExampleImages {
  /** `[pixels, CLASSES]` */
  private readonly inputs: tf.Tensor2D;
  private readonly clean: Uint8Array;
  private readonly denoising: boolean;

  constructor(testSet: TestSet, { pixels, labels }: LabeledImages, denoising: boolean) {
    const indices = firstOfEachClass(labels);
    this.inputs = testSet.inputsAt(indices);
    this.clean = Uint8Array.from(indices.flatMap((at) => [...pixels.subarray(at * PIXELS, (at + 1) * PIXELS)]));
    this.denoising = denoising;
  }

  /**
   * Returns one epoch's reconstructions. `png` is a grid with a row of inputs, a row of noisy inputs (for denoising
   * runs only), and a row of outputs. `safetensors` contains these images as byte arrays of shape `[10, 28, 28]`, named
   * `input`, `noisy` and `output`.
   * @param output the network: maps inputs `[pixels, images]` to outputs of the same shape; called within tf.tidy
   */
  async reconstruct(
    epoch: number,
    output: (input: tf.Tensor2D) => tf.Tensor2D,
  ): Promise<Readonly<Record<Form, Uint8Array>>> {
    const outputs = tf.tidy(() => output(this.inputs));
    try {
      const rows = {
        input: this.clean,
        ...(this.denoising && { noisy: await bytesOf(this.inputs) }),
        output: await bytesOf(outputs),
      };
      const tensors = Object.entries(rows).map(([name, data]): [string, SafeTensor] => [
        name,
        { dtype: 'U8', shape: SHAPE, data },
      ]);
      const labels = Array.from({ length: CLASSES }, (_, label) => label).join(' ');
      return {
        png: imageGrid(Object.values(rows)),
        safetensors: writeSafetensors({
          tensors: Object.fromEntries(tensors),
          metadata: { epoch: `${epoch}`, labels },
        }),
      };
    } finally {
      outputs.dispose();
    }
  }

  dispose(): void {
    this.inputs.dispose();
  }
}

type Form = 'png' | 'safetensors';

const SIDE = 28;
const GAP = 2;
const GRAY = 128;
/** The factor by which images are enlarged, so that details are visible. */
const SCALE = 3;

function imageGrid(rows: readonly Uint8Array[]): Uint8Array {
  const columns = (rows[0]?.length ?? 0) / SIDE ** 2;
  const width = SCALE * (GAP + columns * (SIDE + GAP));
  const height = SCALE * (GAP + rows.length * (SIDE + GAP));
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const [row, line] = positionOf(y);
    for (let x = 0; x < width; x++) {
      const [column, offset] = positionOf(x);
      const inside = line < SIDE && offset < SIDE;
      data[y * width + x] = inside ? (rows[row]?.[(column * SIDE + line) * SIDE + offset] ?? GRAY) : GRAY;
    }
  }
  return encode({ width, height, data, channels: 1, depth: 8 });
}

/**
 * Converts a pixel row or column of the grid into two numbers: the index of the image along that axis, and the pixel
 * row or column within the image before its enlargement. If the second number is SIDE or more, the pixel is in the gap
 * after the image.
 */
function positionOf(screen: number): readonly [number, number] {
  const from = Math.floor(screen / SCALE) - GAP;
  const image = Math.floor(from / (SIDE + GAP));
  return [image, from - image * (SIDE + GAP)];
}
