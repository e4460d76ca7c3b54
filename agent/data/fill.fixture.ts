/** Fills the cache in a process of its own: `fill.fixture.ts DATA_SET DATA_DIR`; prints how many images it found. */
import { datasetNamed } from './catalogue.ts';
import { loadImages } from './load.ts';

const [name = '', dataDir = ''] = process.argv.slice(2);
const dataset = datasetNamed(name);
if (dataset === undefined) throw new Error(`no data set ${name}`);
const { train, test } = await loadImages(dataset.name, dataDir);
console.log(`${train.count} ${test.count}`);
