/** An attempt as a trainer sees it, for tests: what it reports and keeps can be looked at. */
import { tmpdir } from 'node:os';
import type { KeptArtifact, TrainingRun } from './trainer.ts';

export interface SeenRun extends TrainingRun {
  readonly reports: { readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }[];
  readonly kept: (KeptArtifact & { readonly content: Uint8Array | { readonly path: string } })[];
}

/** Keeps no checkpoints and no reconstructions unless told to. */
export function seenRun(given: Partial<TrainingRun> & Pick<TrainingRun, 'parameters'>): SeenRun {
  const reports: SeenRun['reports'] = [];
  const kept: SeenRun['kept'] = [];
  return {
    seed: 0,
    dataDir: '',
    dir: tmpdir(),
    signal: new AbortController().signal,
    key: { sweepId: '1', trialId: 't0', attempt: 1 },
    command: [],
    workdir: tmpdir(),
    checkpointEvery: 0,
    reconstructEvery: 0,
    resume: undefined,
    report: (epoch, metrics) => reports.push({ epoch, metrics: { ...metrics } }),
    keep: async (artifact, content) => {
      kept.push({ ...artifact, content });
    },
    ...given,
    reports,
    kept,
  };
}
