/** Runs `trawl up` with two slots and JSON output. */
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../support/folder.ts';
import { trawl } from '../support/trawl.ts';

export interface UpResult {
  readonly sweep: string;
  readonly state: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly wall_seconds: number;
  readonly trials: readonly TrialJson[];
}

/** A sweep file with eight trials of at least 0.8 s each. */
export const NOOP = `
trainer: noop
parameters:
  x: {min: 1, max: 8, step: 1}
  epochs: {value: 2}
  duration_ms: {value: 400}
`;

/** A sweep file with two short trials that train on real images. */
export const MNIST = `
trainer: autoencoder
parameters:
  latent_dim: {values: [15, 30]}
  noise_std: {value: 0.5}
  train_size: {value: 640}
  test_size: {value: 1000}
  epochs: {value: 2}
`;

/** Returns the arguments for `trawl up`. */
export function up(file: string, dir: string, workdir?: string): string[] {
  const more = workdir === undefined ? [] : ['--workdir', workdir];
  return ['up', file, '--slots', '2', '--dir', dir, ...more, '-o', 'json'];
}

/** Runs the sweep of an example program to its end. */
export async function ranExample(name: string): Promise<{ dir: string; result: UpResult }> {
  const dir = join(testFolder(), 'run');
  const workdir = join(packageRoot(), 'examples', name);
  const { stdout, stderr, code } = await trawl(...up(join(workdir, 'sweep.yaml'), dir, workdir));
  expect(code, stderr).toBe(0);
  return { dir, result: JSON.parse(stdout) as UpResult };
}
