/** Whether trials find their data sets in the cache: a process says it here, whoever keeps count listens. */

/** `miss`: it had to be fetched first. */
export type DatasetUse = 'hit' | 'miss';

let listener: (use: DatasetUse) => void = () => {};

/** There is one listener a process: the worker, which tells its supervisor. */
export function onDatasetUse(listen: (use: DatasetUse) => void): void {
  listener = listen;
}

export function datasetUsed(use: DatasetUse): void {
  listener(use);
}
