/**
 * Runs one trial in a separate process, and prints its reports as JSON:
 * `one-trial.fixture.ts DATA_DIR PARAMETERS [EPOCH CHECKPOINT]`.
 */
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { recordedRun } from '../run.fixture.ts';
import { loadFewTestImages } from './few-test-images.fixture.ts';
import { autoencoder } from './train.ts';

const [dataDir = '', given = '{}', epoch, path] = process.argv.slice(2);
await chooseTestBackend();
const parameters = withDefaults(TRAINERS.autoencoder, JSON.parse(given));
const resume = path === undefined ? undefined : { epoch: Number(epoch), path };
const run = recordedRun({ parameters, seed: 7, dataDir, resume });
await autoencoder(run, loadFewTestImages);
console.log(JSON.stringify(run.reports.map(({ metrics }) => metrics)));
