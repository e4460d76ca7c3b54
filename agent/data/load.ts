/** Loads a data set: its verified images, and the labels of the test images. */
import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import { cachedPath, countDatasetUse, readVerified } from './cache.ts';
import { type DatasetName, type DatasetSpec, datasetNamed } from './catalog.ts';
import { ensureDataset } from './fetch.ts';
import { ImageFile, type Images, parseImages, parseLabels } from './idx.ts';

export interface ImageSet {
  /** The images stay in their file, which all workers of a machine share. */
  readonly train: ImageFile;
  readonly test: LabeledImages;
}

export interface LabeledImages extends Images {
  /** The class of each test image, 0 to 9. */
  readonly labels: Uint8Array;
}

/**
 * Returns the first `limit` images, or all images if there are fewer, with their labels. The pixels are a view, not a
 * copy.
 */
export function firstOf(images: LabeledImages, limit: number): LabeledImages {
  const count = Math.min(limit, images.count);
  return {
    ...images,
    count,
    pixels: images.pixels.subarray(0, count * images.rows * images.columns),
    labels: images.labels.subarray(0, count),
  };
}

/**
 * The data set that was loaded last. It is kept open, because a worker usually runs many trials on the same data set.
 */
let latest: { readonly key: string; readonly images: Promise<ImageSet> } | undefined;

/**
 * Opens a data set. If the data set is missing, it is first fetched into the cache.
 * @throws {DamagedFileError} when a file in the cache is truncated or altered
 * @throws {DatasetUnavailableError} when the data set is not in the cache and no source has it
 */
export function loadImages(name: DatasetName, dataDir: string): Promise<ImageSet> {
  const key = JSON.stringify([dataDir, name]);
  if (latest?.key === key) {
    countDatasetUse('hit');
    return latest.images;
  }
  const images = read(name, dataDir);
  const loading = { key, images };
  latest?.images.then(({ train }) => train.close()).catch(() => {});
  latest = loading;
  images.catch(() => {
    if (latest === loading) latest = undefined;
  });
  return images;
}

async function read(name: DatasetName, dataDir: string): Promise<ImageSet> {
  const dataset = datasetNamed(name);
  if (dataset === undefined) throw new NotFoundError(`unknown data set ${name}`);
  countDatasetUse(await ensureDataset(dataset, dataDir));
  // The test set is read first: if the read fails, the file of training images is not open and need not be closed.
  const test = await readTest(dataset, dataDir);
  const train = await ImageFile.open(cachedPath(dataDir, dataset, dataset.trainImages), dataset.trainImages);
  return { train, test };
}

async function readTest(dataset: DatasetSpec, dataDir: string): Promise<LabeledImages> {
  const imagesPath = cachedPath(dataDir, dataset, dataset.testImages);
  const images = parseImages(imagesPath, await readVerified(imagesPath, dataset.testImages));
  const path = cachedPath(dataDir, dataset, dataset.testLabels);
  const labels = parseLabels(path, await readVerified(path, dataset.testLabels));
  if (labels.length !== images.count)
    throw new BadInputError(`${path}: ${labels.length} labels, expected ${images.count}, one per image`);
  return { ...images, labels };
}
