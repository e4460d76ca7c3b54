/**
 * Allocates the memory of the first GPU until only the given number of MiB is free, prints `full`, and keeps the memory
 * until stdin ends. Usage: `fill-gpu.js FREE_MIB`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { chooseBackend } from '../../agent/machine/backend.ts';
import { gpuMemory } from '../../agent/machine/gpus.ts';

const MIB = 2 ** 20;
const PARTS_MIB = [4_096, 256, 64] as const;

const left = Number(process.argv[2]) * MIB;
await chooseBackend({ forced: 'tensorflow-gpu', gpus: 1, requireGpu: true });
const kept: tf.Tensor[] = [];
for (const part of PARTS_MIB) {
  for (;;) {
    const memory = await gpuMemory();
    if (memory === undefined) throw new Error('nvidia-smi does not report the memory');
    if (memory.freeBytes - part * MIB < left) break;
    const values = tf.fill([part, MIB / 4], 1);
    // Reading one value waits until the memory is allocated.
    tf.tidy(() => tf.slice(values, [0, 0], [1, 1]).dataSync());
    kept.push(values);
  }
}
process.stdout.write('full\n');
process.stdin.resume();
process.stdin.once('end', () => process.exit(kept.length > 0 ? 0 : 1));
