/** A training run for tests, which records reports and artifacts. */
import { tmpdir } from 'node:os';
import type { KeptArtifact, TrainingRun } from './trainer.ts';

export interface RecordedRun extends TrainingRun {
  readonly reports: { readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }[];
  readonly notices: { readonly kind: string; readonly message: string; readonly count: number }[];
  readonly starts: { readonly command: readonly string[]; readonly interpreter: string | undefined }[];
  /** The texts of the log. */
  readonly logs: string[];
  readonly kept: (KeptArtifact & { readonly content: Uint8Array | { readonly path: string } })[];
}

/**
 * Returns a run that records what its trainer reports and keeps. By default, checkpoints and reconstructions are off.
 */
export function recordedRun(given: Partial<TrainingRun> & Pick<TrainingRun, 'parameters'>): RecordedRun {
  const reports: RecordedRun['reports'] = [];
  const notices: RecordedRun['notices'] = [];
  const kept: RecordedRun['kept'] = [];
  const starts: RecordedRun['starts'] = [];
  const logs: string[] = [];
  return {
    seed: 0,
    dataDir: '',
    dir: tmpdir(),
    signal: new AbortController().signal,
    key: { sweepId: '1', trialId: 't0', attempt: 1 },
    command: [],
    program: undefined,
    workdir: tmpdir(),
    environment: process.env,
    marker: '',
    code: undefined,
    checkpointEvery: 0,
    reconstructEvery: 0,
    resume: undefined,
    report: (epoch, metrics) => reports.push({ epoch, metrics: { ...metrics } }),
    started: (command, interpreter) => starts.push({ command, interpreter: interpreter?.path }),
    notice: (kind, message, count) => notices.push({ kind, message, count }),
    log: {
      text: (text) => {
        logs.push(text);
        return undefined;
      },
      note: (line) => void logs.push(`[trawl] ${line}\n`),
    },
    keep: async (artifact, content) => {
      kept.push({ ...artifact, content });
    },
    ...given,
    reports,
    logs,
    kept,
    notices,
    starts,
  };
}
