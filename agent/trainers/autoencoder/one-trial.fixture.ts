/** Runs one trial in a process of its own and prints its reports as JSON: `one-trial.fixture.ts DATA_DIR PARAMETERS`. */
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { autoencoder } from './train.ts';

const [dataDir = '', parameters = '{}'] = process.argv.slice(2);
await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
const reports: Record<string, number>[] = [];
await autoencoder({
  parameters: withDefaults(TRAINERS.autoencoder, JSON.parse(parameters)),
  seed: 7,
  dataDir,
  signal: new AbortController().signal,
  report: (_, metrics) => reports.push({ ...metrics }),
});
console.log(JSON.stringify(reports));
