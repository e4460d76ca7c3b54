/** Measures one backend of TensorFlow.js. Reads the requests from stdin. Usage: `tfjs-process.js BACKEND`. */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { defaultDataDir } from '../../agent/data/cache.ts';
import { loadImages } from '../../agent/data/load.ts';
import { type BackendName, chooseBackend } from '../../agent/machine/backend.ts';
import { rowsOfImages } from '../../agent/trainers/autoencoder/images.ts';
import { type Answer, IMAGES, type Ready, type Request } from './peer.ts';
import { type MeasuredStep, matmulStep, stockStep, trawlStep } from './steps.ts';

/** The time before the first measurement, in which code is compiled and memory allocated. */
const WARM_UP_S = 0.5;

const forced = process.argv[2] as BackendName;
await chooseBackend({ forced, gpus: forced === 'tensorflow-gpu' ? 1 : 0, requireGpu: false });
const images = (await loadImages('mnist', defaultDataDir(process.env))).train;
const steps = new Map<string, MeasuredStep>();
let rows: tf.Tensor2D | undefined;
send({ description: `TensorFlow.js ${tf.version_core} on ${forced}${libtensorflowVersion()}` });

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  const key = JSON.stringify([request.subject, request.depth, request.batch, request.pack, request.strategy]);
  let step = steps.get(key);
  if (step === undefined) {
    step = stepOf(request);
    steps.set(key, step);
    await measure(step, WARM_UP_S);
  }
  send(await measure(step, request.seconds));
}

function stepOf(request: Request): MeasuredStep {
  switch (request.subject) {
    case 'trawl':
      return trawlStep(images, request);
    case 'stock':
      rows ??= rowsOfImages(images, IMAGES);
      return stockStep(rows, request);
    case 'matmul':
      return matmulStep(request);
  }
}

async function measure(step: MeasuredStep, seconds: number): Promise<Answer> {
  await step.take();
  await step.settle();
  const start = performance.now();
  let least = Number.POSITIVE_INFINITY;
  let count = 0;
  for (let now = start; now - start < seconds * 1000; ) {
    const begun = now;
    const steps = await step.take();
    now = performance.now();
    least = Math.min(least, (now - begun) / steps);
    count += steps;
  }
  await step.settle();
  return { count, seconds: (performance.now() - start) / 1000, least: least / 1000 };
}

function libtensorflowVersion(): string {
  const backend = tf.backend();
  if (!('binding' in backend)) return '';
  return `, TensorFlow ${(backend.binding as { readonly TF_Version: string }).TF_Version}`;
}

function send(message: Ready | Answer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
