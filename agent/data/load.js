/** A data set's images in this process's memory, verified. */
import { NotFoundError } from '../../proto/errors.js';
import { cachedPath, readVerified } from './cache.js';
import { datasetNamed } from './catalogue.js';
import { parseImages } from './idx.js';
import { ensureDataset } from './resolve.js';
/** A worker runs trial after trial on one data set: the last one stays, read and verified once. */
let latest;
/**
 * Fetches the data set into the cache where it is missing, and reads it.
 * @throws {DamagedFileError} when a file of the cache is truncated or altered.
 * @throws {DatasetUnavailableError} when it is neither cached nor to be had.
 */
export function loadImages(name, dataDir) {
    const key = JSON.stringify([dataDir, name]);
    if (latest?.key === key)
        return latest.images;
    const images = read(name, dataDir);
    const loading = { key, images };
    latest = loading;
    images.catch(() => {
        if (latest === loading)
            latest = undefined;
    });
    return images;
}
async function read(name, dataDir) {
    const dataset = datasetNamed(name);
    if (dataset === undefined)
        throw new NotFoundError(`no data set is called ${name}`);
    await ensureDataset(dataset, dataDir);
    return {
        train: await readImages(dataset, dataset.trainImages, dataDir),
        test: await readImages(dataset, dataset.testImages, dataDir),
    };
}
async function readImages(dataset, file, dataDir) {
    const path = cachedPath(dataDir, dataset, file);
    return parseImages(path, await readVerified(path, file));
}
//# sourceMappingURL=load.js.map