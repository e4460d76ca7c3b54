// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax of macros
/** Runs real programs with the trainer `command`, for tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ProgramSpec, type ReportSource, WandbMode } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import { type RecordedRun, recordedRun } from '../run.fixture.ts';
import type { KeptArtifact, TrainingRun } from '../trainer.ts';
import { command } from './run.ts';

export const SPEC: ProgramSpec = {
  env: {},
  report: [],
  classify: [],
  wandb: WandbMode.UNSPECIFIED,
  code: undefined,
  floatParameters: [],
  metric: '',
  firstReportMs: 0,
  seedParameter: '',
  parameterOrder: [],
  floatValues: [],
};
export const ranked = (metric: string): ProgramSpec => ({ ...SPEC, metric });
export const from = (...sources: NonNullable<ReportSource['source']>[]): ProgramSpec => ({
  ...SPEC,
  report: sources.map((source) => ({ source })),
});

export interface Outcome {
  readonly run: RecordedRun;
  readonly log: string;
  /** The failure in the form `class: message`. */
  readonly failure: string | undefined;
  readonly kept: readonly (KeptArtifact & { readonly text: string })[];
}

/** Runs a shell script or a command in a folder until it ends. */
export async function runProgramIn(
  folder: string,
  program: string | readonly string[],
  given: Partial<TrainingRun> = {},
): Promise<Outcome> {
  const kept: Outcome['kept'][number][] = [];
  const run = recordedRun({
    parameters: { lr: 0.1, name: 'a b' },
    command: typeof program === 'string' ? ['sh', '-c', program, 'sh', '${args}'] : program,
    dir: join(folder, 'work'),
    workdir: folder,
    marker: '',
    program: ranked('loss'),
    keep: async (artifact, content) => {
      if (content instanceof Uint8Array) throw new Error('expected a file');
      kept.push({ ...artifact, text: readFileSync(content.path, 'utf8') });
    },
    ...given,
  });
  const failure = await command(run).then(
    () => undefined,
    (error) => `${error.failureClass ?? error.name}: ${error.message}`,
  );
  return { run, log: run.logs.join(''), failure, kept };
}
