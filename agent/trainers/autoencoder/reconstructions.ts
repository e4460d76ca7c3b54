/** What the network makes of ten test images, one of each class and the same ones in every epoch and every trial. */
import * as tf from '@tensorflow/tfjs-core';
import { type SafeTensor, writeSafetensors } from '../../../lib/files/safetensors.ts';
import type { LabelledImages } from '../../data/load.ts';
import type { TestSet } from './evaluation.ts';
import { bytesOf } from './images.ts';
import { PIXELS } from './model.ts';
import { pictureGrid } from './picture-grid.ts';

const CLASSES = 10;
const SHAPE = [CLASSES, 28, 28];

/** Whether an epoch's reconstructions are kept: 1, 1 + every, 1 + 2 every, ... and the last; never for 0. */
export function isLookedAt(epoch: number, every: number, epochs: number): boolean {
  return every > 0 && ((epoch - 1) % every === 0 || epoch === epochs);
}

/** Where the first image of each class is, from class 0 on. */
function firstOfEachClass(labels: Uint8Array): readonly number[] {
  return Array.from({ length: CLASSES }, (_, label) => {
    const first = labels.indexOf(label);
    if (first < 0) throw new Error(`no test image is of class ${label}`);
    return first;
  });
}

export class Examples {
  /** `[pixels, CLASSES]`: with the test set's own noise when denoising. */
  private readonly inputs: tf.Tensor2D;
  private readonly clean: Uint8Array;
  private readonly denoising: boolean;

  constructor(testSet: TestSet, { pixels, labels }: LabelledImages, denoising: boolean) {
    const indices = firstOfEachClass(labels);
    this.inputs = testSet.seen(indices);
    this.clean = Uint8Array.from(indices.flatMap((at) => [...pixels.subarray(at * PIXELS, (at + 1) * PIXELS)]));
    this.denoising = denoising;
  }

  /**
   * One epoch's look: `png` is a grid of inputs over outputs, noisy inputs between when denoising; `safetensors` has the
   * same as bytes, `input`, `noisy` (when denoising) and `output` of `[10, 28, 28]`.
   * @param output `[pixels, images]` to the same shape; runs within a tidy.
   */
  async look(epoch: number, output: (input: tf.Tensor2D) => tf.Tensor2D): Promise<Readonly<Record<Form, Uint8Array>>> {
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
        png: pictureGrid(Object.values(rows)),
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
