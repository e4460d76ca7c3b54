/** Runs sweeps with `trawl up`, as a user would. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { reportJson, TrialJson } from '../../bin/output/json.ts';
import { packageRoot } from '../../bin/package.ts';
import { readCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { trialsOf } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { startTrawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';

interface UpResult {
  readonly state: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly trials: readonly TrialJson[];
  readonly warnings: readonly { readonly kind: string; readonly message: string }[];
}

export interface ShownTrial extends TrialJson {
  readonly reports: readonly ReturnType<typeof reportJson>[];
  readonly artifacts: readonly { readonly name: string; readonly bytes: number }[];
}

export interface SweptProgram {
  readonly dir: string;
  readonly code: number;
  readonly stderr: string;
  readonly result: UpResult;
}

export const exampleFolder = (name: string): string => join(packageRoot(), 'examples', name);

/**
 * Runs the sweep file of an example.
 * @param changes the keys of the sweep file that are replaced, with their new values
 */
export function sweepExample(name: string, changes: Readonly<Record<string, unknown>>): Promise<SweptProgram> {
  const workdir = exampleFolder(name);
  const text: Record<string, unknown> = parse(readFileSync(join(workdir, 'sweep.yaml'), 'utf8'));
  return sweep(stringify({ ...text, ...changes }), workdir);
}

/** Runs a sweep to its end. */
export function sweep(text: string, workdir: string): Promise<SweptProgram> {
  return startSweep(text, workdir).ended;
}

/** Starts a sweep that runs two trials at a time. */
export function startSweep(text: string, workdir: string) {
  const folder = testFolder();
  const dir = join(folder, 'run');
  const file = sweepFile(folder, text);
  const up = startTrawl('up', file, '--slots', '2', '--dir', dir, '--workdir', workdir, '-o', 'json');
  const ended = up.ended.then(({ stdout, stderr, code }): SweptProgram => {
    if (stdout === '') throw new Error(`trawl up ended with code ${code}: ${stderr}`);
    return { dir, code, stderr, result: JSON.parse(stdout) as UpResult };
  });
  // If a test fails before the end of the sweep, the command is killed, and nothing awaits this promise. Without this
  // line, its rejection would be unhandled.
  ended.catch(() => {});
  return { dir, ended };
}

/**
 * Waits until both trials of a running sweep have reported a metric.
 * @param dir the data folder of the sweep
 */
export function untilBothReported(dir: string, metric: string): Promise<TrialJson[]> {
  return until('both trials have reported', async () => {
    if (readCoordinatorFile(dir) === undefined) return undefined;
    const trials = await trialsOf({ dir }, 'last').catch(() => []);
    return trials.length === 2 && trials.every(({ metrics }) => metric in metrics) && trials;
  });
}

export function showTrial(dir: string, trial: TrialJson | undefined): Promise<ShownTrial> {
  return trawlJson<ShownTrial>('show', trial?.trial ?? '', '--dir', dir);
}

/** The time from the first report to the last, in milliseconds. */
export function reportedMs({ reports }: Pick<ShownTrial, 'reports'>): number {
  const times = reports.map(({ at }) => Date.parse(at ?? ''));
  return Math.max(...times) - Math.min(...times);
}
