import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sweepFile, testFolder } from '../support/folder.ts';
import { startTrawl, trawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { MNIST, NOOP, type UpResult, up } from './up-command.ts';

const LIMIT_MS = 120_000;

describe('trawl up', { timeout: LIMIT_MS }, () => {
  test('the agent of trawl up has the labels from the command line, and a later trawl plan estimates how long a sweep takes', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const asking = sweepFile(folder, `${NOOP}resources: {labels: {zone: a b=c}}\n`);
    const { stdout, stderr, code } = await trawl(...up(asking, dir), '--label', 'zone=a b=c');
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ counts: { succeeded: 8 } });

    const estimateOf = async (...args: string[]) =>
      JSON.parse((await trawl('plan', ...args, '--dir', dir, '-o', 'json')).stdout).estimate;
    const same = await estimateOf(asking);
    expect(same).toMatchObject({ slots: 2, past_trials: 8, past_sweeps: 1 });
    const { low, expected, high } = same.duration_s;
    // The estimated duration must be longer than one epoch (at least 0.4 s) and shorter than the time limit of the
    // test.
    expect(low).toBeGreaterThan(0.4);
    expect(expected).toBeGreaterThan(low);
    expect(high).toBeGreaterThan(expected);
    expect(high).toBeLessThan(LIMIT_MS / 1000);
    const longer = sweepFile(folder, NOOP.replace('epochs: {value: 2}', 'epochs: {value: 200}'));
    const { duration_s, slots } = await estimateOf(longer, '--slots', '2');
    expect(slots).toBe(2);
    expect(duration_s.expected / expected).toBeCloseTo(100, 6);
    expect((await trawl('plan', longer, '--dir', dir)).stdout).toMatch(
      /^estimate .* on 2 slots .* 8 trials of 1 earlier/m,
    );
    const other = sweepFile(folder, 'trainer: autoencoder\nparameters: {latent_dim: {values: [2]}}\n');
    expect(await estimateOf(other)).toBeUndefined();
    expect((await trawl('plan', other, '--dir', dir)).stdout).toMatch(
      /^estimate +none yet: .* of this trainer, .* needs 3/m,
    );
  });

  test('trawl up on real MNIST images prints ranked trials as JSON, and the loss decreases', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const file = sweepFile(folder, MNIST);
    const { stdout, stderr, code } = await trawl(...up(file, dir));
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout) as UpResult;
    expect(result).toMatchObject({ state: 'finished', counts: { succeeded: 2, failed: 0 } });
    expect(result.trials.map(({ rank }) => rank)).toEqual([1, 2]);
    for (const trial of result.trials) {
      expect(trial).toMatchObject({ attempts: 1, epoch: 2, backend: expect.any(String), agent: expect.any(String) });
      for (const name of ['train_loss', 'test_loss', 'psnr', 'psnr_peak1', 'last_batch_loss']) {
        expect(trial.metrics[name], name).toEqual(expect.any(Number));
      }
      const shown = JSON.parse((await trawl('show', trial.trial, '--dir', dir, '-o', 'json')).stdout);
      const losses = shown.reports.map((report: { metrics: Record<string, number> }) => report.metrics.train_loss);
      expect(losses).toHaveLength(2);
      expect(losses[1]).toBeLessThan(losses[0]);
    }
  });

  test('trawl up offers to apply an edited file, rejects a file that cannot be applied, and runs only new points after an apply', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const text = `name: edited\n${NOOP.replace('400', '10')}`;
    const first = await trawl(...up(sweepFile(folder, text.replace('max: 8', 'max: 2')), dir));
    expect(first.code, first.stderr).toBe(0);
    const refused = await trawl(...up(sweepFile(folder, `${text}seeds: [1]\nresources: {labels: {zone: a}}\n`), dir));
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /cannot be applied to this sweep: resources cannot change .*; for a new sweep, run: .*trawl up .* --new/,
    );
    expect(JSON.parse((await trawl('ls', '--dir', dir, '-o', 'json')).stdout)).toHaveLength(1);
    const edited = sweepFile(folder, text.replace('min: 1, max: 8', 'min: 2, max: 3'));
    const offered = await trawl(...up(edited, dir));
    expect(offered.code).toBe(2);
    expect(offered.stderr).toContain(`trawl apply ${edited} --sweep 1 --yes --dir ${dir}`);
    const applied = await trawl('apply', edited, '--yes', '--dir', dir);
    expect(applied.stdout).toContain(
      'kept     1 trial\nadded    1 trial\ndropped  1 trial (1 already started; results are kept)\n',
    );
    expect(applied.stderr).toContain(`trawl up ${edited} --dir ${dir}`);
    expect((await trawl('show', '--version', '1', '--dir', dir)).stdout).toContain('max: 2');
    const second = await trawl(
      ...up(sweepFile(folder, readFileSync(edited, 'utf8').replace('edited', 'renamed')), dir),
    );
    expect(second.code, second.stderr).toBe(0);
    expect(second.stderr).toContain('sweep 1 (edited) has the same content as');
    expect(second.stderr).toMatch(/no sweep named renamed is submitted; .*trawl apply .* --sweep 1 --yes --dir /);
    const before = (JSON.parse(first.stdout) as UpResult).trials;
    const { trials } = JSON.parse(second.stdout) as UpResult;
    expect(trials.map(({ attempts, rank }) => [attempts, rank !== null])).toEqual([
      [1, true],
      [1, true],
      [1, false],
    ]);
    for (const { trial, ended_at } of before) {
      expect(trials.find((one) => one.trial === trial)?.ended_at).toBe(ended_at);
    }
    const ofTrial = await trawl('show', before[0]?.trial ?? '', '--version', '1', '--dir', dir);
    expect(ofTrial.code).toBe(2);
    expect(ofTrial.stderr).toContain('--version needs a sweep, not a trial; the trial belongs to sweep 1');
    expect((await trawl('show', '--version', '1', '--diff', '--dir', dir)).stderr).toContain('cannot be combined');
  });

  test('after Ctrl-C, the same trawl up command resumes the sweep and repeats no finished trial', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const file = sweepFile(folder, NOOP);
    const first = startTrawl(...up(file, dir));
    await until('a trial has succeeded', () => / succeeded \(2\/8\)/.test(first.stderr()));
    first.kill('SIGINT');
    const ended = await first.ended;
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.stderr).toContain(`trawl up ${file} --slots 2 --dir ${dir} -o json`);
    const done = (JSON.parse(ended.stdout) as UpResult).trials.filter(({ state }) => state === 'succeeded');
    const second = await trawl(...up(file, dir));
    expect(second.code, second.stderr).toBe(0);
    const { trials } = JSON.parse(second.stdout) as UpResult;
    expect(trials.filter(({ state }) => state === 'succeeded')).toHaveLength(8);
    for (const before of done) {
      expect(trials.find(({ trial }) => trial === before.trial)?.ended_at).toBe(before.ended_at);
    }
  });

  test('if a trial fails, trawl up exits with code 1, and its results name the class of the failure', async () => {
    const folder = testFolder();
    const slow = 'duration_ms: {values: [0, 60000]}';
    const file = sweepFile(folder, `trainer: noop\nparameters: {${slow}}\ntimeout: 2s\nretry: {timeout: 0}\n`);
    const { stdout, code } = await trawl(...up(file, join(folder, 'run')));
    expect(code).toBe(1);
    const { counts, trials } = JSON.parse(stdout) as UpResult;
    expect(counts).toMatchObject({ succeeded: 1, failed: 1 });
    expect(trials.find(({ state }) => state === 'failed')?.failure?.class).toBe('timeout');
  });

  test('trawl up leaves no files behind if the sweep file is invalid', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const file = sweepFile(folder, 'trainer: autoencoder\nparameters:\n  latent_dims: {values: [15]}\n');
    const { stderr, code } = await trawl(...up(file, dir));
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}:3:3`);
    expect(stderr).toContain('latent_dim');
    expect(existsSync(dir)).toBe(false);
  });
});
