/** Runs one trial in a process of its own and prints its reports as JSON: `one-trial.fixture.ts DATA_DIR PARAMETERS`. */
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { seenRun } from '../run.fixture.ts';
import { autoencoder } from './train.ts';

const [dataDir = '', parameters = '{}'] = process.argv.slice(2);
await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
const run = seenRun({ parameters: withDefaults(TRAINERS.autoencoder, JSON.parse(parameters)), seed: 7, dataDir });
await autoencoder(run);
console.log(JSON.stringify(run.reports.map(({ metrics }) => metrics)));
