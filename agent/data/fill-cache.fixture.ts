/**
 * Fills the cache in a separate process, and prints the numbers of images: `fill-cache.fixture.ts DATA_SET DATA_DIR`.
 */
import { datasetNamed } from './catalogue.ts';
import { loadImages } from './load.ts';

const [name = '', dataDir = ''] = process.argv.slice(2);
const dataset = datasetNamed(name);
if (dataset === undefined) throw new Error(`unknown data set ${name}`);
const { train, test } = await loadImages(dataset.name, dataDir);
console.log(`${train.count} ${test.count}`);
