/**
 * Fills the cache with a data set, and prints how many training images and how many test images the data set has. Runs
 * in a separate process: `fill-cache.fixture.ts DATA_SET DATA_DIR`.
 */
import { datasetNamed } from './catalog.ts';
import { loadImages } from './load.ts';

const [name = '', dataDir = ''] = process.argv.slice(2);
const dataset = datasetNamed(name);
if (dataset === undefined) throw new Error(`unknown data set ${name}`);
const { train, test } = await loadImages(dataset.name, dataDir);
console.log(`${train.count} ${test.count}`);
