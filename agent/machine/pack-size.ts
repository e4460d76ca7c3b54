/** How many trials a worker trains together. */
import type { BackendName } from './backend.ts';

/** What `--pack` takes: a number, or as many as pay and fit. */
export type PackOption = number | 'auto';

/** @param sharedBy slots that share the worker's GPU */
export async function packSize(wanted: PackOption, backend: BackendName, sharedBy: number): Promise<number> {
  if (wanted !== 'auto') return wanted;
  // On a CPU one such network keeps a core busy: a pack gains nothing (bench/RESULTS.md).
  if (backend !== 'tensorflow-gpu') return 1;
  const { packThatFits } = await import('../trainers/autoencoder/pack-memory.ts');
  return packThatFits(sharedBy);
}
