/** A data set's images, and the test images' labels, verified. */

import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import { cachedPath, countDatasetUse, readVerified } from './cache.ts';
import { type DatasetName, type DatasetSpec, datasetNamed } from './catalogue.ts';
import { type Images, parseImages, parseLabels } from './idx.ts';
import { ImageFile } from './image-file.ts';
import { ensureDataset } from './resolve.ts';

export interface ImageSet {
  /** Not in this process's memory: workers of a machine share them. */
  readonly train: ImageFile;
  readonly test: LabelledImages;
}

export interface LabelledImages extends Images {
  /** The class of each image: 0 to 9. */
  readonly labels: Uint8Array;
}

/** A worker runs trial after trial on one data set: the last one stays, opened and verified once. */
let latest: { readonly key: string; readonly images: Promise<ImageSet> } | undefined;

/**
 * Fetches the data set into the cache where it is missing, and opens it.
 * @throws {DamagedFileError} when a file of the cache is truncated or altered.
 * @throws {DatasetUnavailableError} when it is neither cached nor to be had.
 */
export function loadImages(name: DatasetName, dataDir: string): Promise<ImageSet> {
  const key = JSON.stringify([dataDir, name]);
  if (latest?.key === key) {
    countDatasetUse('hit');
    return latest.images;
  }
  const images = read(name, dataDir);
  const loading = { key, images };
  // Who trained on it is done: a worker has one attempt, or one pack, at a time.
  latest?.images.then(({ train }) => train.close()).catch(() => {});
  latest = loading;
  images.catch(() => {
    if (latest === loading) latest = undefined;
  });
  return images;
}

async function read(name: DatasetName, dataDir: string): Promise<ImageSet> {
  const dataset = datasetNamed(name);
  if (dataset === undefined) throw new NotFoundError(`no data set is called ${name}`);
  countDatasetUse(await ensureDataset(dataset, dataDir));
  return {
    train: await ImageFile.open(cachedPath(dataDir, dataset, dataset.trainImages), dataset.trainImages),
    test: await readTest(dataset, dataDir),
  };
}

async function readTest(dataset: DatasetSpec, dataDir: string): Promise<LabelledImages> {
  const imagesPath = cachedPath(dataDir, dataset, dataset.testImages);
  const images = parseImages(imagesPath, await readVerified(imagesPath, dataset.testImages));
  const path = cachedPath(dataDir, dataset, dataset.testLabels);
  const labels = parseLabels(path, await readVerified(path, dataset.testLabels));
  if (labels.length !== images.count)
    throw new BadInputError(`${path}: ${labels.length} labels, expected one for each of ${images.count} images`);
  return { ...images, labels };
}
