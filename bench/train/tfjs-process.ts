/** Measures one backend of TensorFlow.js. Reads the requests from stdin. Usage: `tfjs-process.js BACKEND`. */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { defaultDataDir } from '../../agent/data/cache.ts';
import { loadImages } from '../../agent/data/load.ts';
import { type BackendName, chooseBackend } from '../../agent/machine/backend.ts';
import { rowsOfImages } from '../../agent/trainers/autoencoder/images.ts';
import { type Answer, IMAGES, type Ready, type Request } from './peer.ts';
import { type MeasuredStep, matmulStep, stockStep, trawlStep } from './steps.ts';

/** The duration of the warm-up before the first measurement. In the warm-up, code is compiled and memory allocated. */
const WARM_UP_S = 0.5;

interface PreparedStep {
  readonly step: MeasuredStep;
  readonly firstStepSeconds: number;
}

const forced = process.argv[2] as BackendName;
await chooseBackend({ forced, gpus: forced === 'tensorflow-gpu' ? 1 : 0, requireGpu: false });
const images = (await loadImages('mnist', defaultDataDir(process.env))).train;
const steps = new Map<string, PreparedStep>();
let rows: tf.Tensor2D | undefined;
send({ description: `TensorFlow.js ${tf.version_core} on ${forced}${libtensorflowVersion()}` });

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  const key = JSON.stringify([request.subject, request.depth, request.batch, request.pack, request.strategy]);
  let prepared = steps.get(key);
  if (prepared === undefined) {
    prepared = await prepare(request);
    steps.set(key, prepared);
  }
  const { step, firstStepSeconds } = prepared;
  send({ ...(await measure(step, request.seconds)), firstStepSeconds });
}

async function prepare(request: Request): Promise<PreparedStep> {
  const step = stepOf(request);
  const start = performance.now();
  await step.take();
  await step.settle();
  const firstStepSeconds = (performance.now() - start) / 1000;
  await measure(step, WARM_UP_S);
  return { step, firstStepSeconds };
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

async function measure(step: MeasuredStep, seconds: number): Promise<Omit<Answer, 'firstStepSeconds'>> {
  await step.take();
  await step.settle();
  const startCpu = process.cpuUsage();
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
  const elapsedMs = performance.now() - start;
  const { user, system } = process.cpuUsage(startCpu);
  return { count, seconds: elapsedMs / 1000, least: least / 1000, cpuSeconds: (user + system) / 1e6 };
}

function libtensorflowVersion(): string {
  const backend = tf.backend();
  if (!('binding' in backend)) return '';
  return `, TensorFlow ${(backend.binding as { readonly TF_Version: string }).TF_Version}`;
}

function send(message: Ready | Answer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
