/**
 * Trains the autoencoder once for each point of a small space and appends the test losses to a table, so that a search
 * can look up each trial. Continues an incomplete table. Usage: `train-table.js FILE`.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { defaultDataDir } from '../../agent/data/cache.ts';
import { chooseBackend, forcedBackend } from '../../agent/machine/backend.ts';
import { autoencoder } from '../../agent/trainers/autoencoder/train.ts';
import { TrainingError, type TrainingRun } from '../../agent/trainers/trainer.ts';
import { TRAINERS, withDefaults } from '../../proto/trainers.ts';
import { AXES, pointOfRow, ROWS } from './autoencoder-table.ts';

/** The number of test images. It is low, so that a short training does not spend most of its time on evaluation. */
const TEST_IMAGES = 200;

const [, , file] = process.argv;
if (file === undefined) throw new Error('usage: train-table.js FILE');
await chooseBackend({ forced: forcedBackend(process.env) ?? 'wasm', gpus: 0, requireGpu: false });
const done = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').length - 1 : 0;
if (done === 0) appendFileSync(file, `${Object.keys(AXES).join(',')},test_loss\n`);
for (let row = Math.max(0, done); row < ROWS; row++) {
  const point = pointOfRow(row);
  const loss = await lossOf(point);
  appendFileSync(file, `${Object.values(point).join(',')},${loss ?? ''}\n`);
}

/** Returns the test loss after the last epoch; undefined if the training diverged. */
async function lossOf(point: Readonly<Record<string, number>>): Promise<number | undefined> {
  let last: number | undefined;
  const run: TrainingRun = {
    parameters: withDefaults(TRAINERS.autoencoder, { ...point, epochs: 1, train_size: 256, test_size: TEST_IMAGES }),
    seed: 0,
    dataDir: defaultDataDir(process.env),
    dir: tmpdir(),
    signal: new AbortController().signal,
    key: { sweepId: '1', trialId: 't0', attempt: 1 },
    command: [],
    program: undefined,
    workdir: tmpdir(),
    environment: process.env,
    marker: '',
    code: undefined,
    checkpointEvery: 0,
    reconstructEvery: 0,
    resume: undefined,
    log: { text: () => undefined, note: () => {} },
    report: (_, metrics) => {
      last = metrics.test_loss;
    },
    started: () => {},
    notice: () => {},
    keep: async () => {},
  };
  try {
    await autoencoder(run);
    return last;
  } catch (error) {
    if (error instanceof TrainingError && error.failureClass === 'nan') return undefined;
    throw error;
  }
}
