import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { alive, descendantsOf, killNow } from '../support/processes.ts';
import { startTrawl, trawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { MNIST, NOOP, type UpResult, up } from './up-command.ts';

const LIMIT_MS = 300_000;

const isAgent = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('agent');

describe('trawl up', { timeout: LIMIT_MS }, () => {
  test('after kill -9 of trawl up and its agent, the other processes exit, and the same command resumes the sweep', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const file = sweepFile(folder, NOOP.replace('400', '4000'));
    const first = startTrawl(...up(file, dir));
    await until('a trial has succeeded', () => / succeeded \(2\/8\)/.test(first.stderr()));
    const busy = await trawl(...up(file, dir));
    expect(busy.code).toBe(4);
    expect(busy.stderr).toContain('already uses');
    expect(busy.stderr).toMatch(/submit to it with "(?:npx )?trawl submit FILE --dir \S+"/);
    const family = descendantsOf(first.pid);
    // The agent is killed first. An agent that outlives `trawl up` would hand back its trials, which would then be
    // pending instead of interrupted.
    for (const pid of [...family.filter(isAgent), first.pid]) killNow(pid);
    await until('its processes are gone', () => alive(family).length === 0);
    const read = async (...args: string[]) => (await trawl(...args, '--dir', dir)).stdout;
    for (const args of [
      ['ls'],
      ['show', '1'],
      ['trials', '1'],
      ['export', '1', '-f', 'csv'],
      ['export', '1', '-f', 'json'],
    ]) {
      const text = await read(...args);
      expect(text, args.join(' ')).toContain('interrupted');
      expect(text, args.join(' ')).not.toMatch(/"state": ?"running"|\d running|\brunning\b(?! {2})/);
    }
    const [listed] = JSON.parse(await read('ls', '-o', 'json'));
    expect(listed).toMatchObject({ state: 'interrupted', counts: { running: 0, offered: 0, interrupted: 2 } });
    const broken = JSON.parse(await read('trials', '1', '--state', 'interrupted', '-o', 'json')) as TrialJson[];
    expect(broken).toHaveLength(2);
    const shown = JSON.parse(await read('show', broken[0]?.trial ?? '', '-o', 'json'));
    expect(shown.attempt_list.at(-1).outcome).toBe('interrupted');
    expect(await read('explain', broken[0]?.trial ?? '')).toContain('interrupted');
    const second = await trawl(...up(file, dir));
    expect(second.code, second.stderr).toBe(0);
    const { counts } = JSON.parse(second.stdout) as UpResult;
    expect(counts).toMatchObject({ succeeded: 8, failed: 0 });
  });

  test('without a terminal, trawl up exits with code 1 at max_failed, and the printed command resumes the sweep', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const program = 'case $1 in 1|2|3) exit 3;; 4) sleep 3;; esac; echo "{\\"epoch\\": 1, \\"loss\\": $1}"';
    const file = sweepFile(
      folder,
      `command: [sh, -c, '${program}', sh, "\${param:x}"]\nmetric: {name: loss}\nmax_failed: 1\n` +
        'parameters: {x: {values: [4, 1, 2, 3, 5, 6]}}\nretry: {crash: 0}\n',
    );
    const first = await trawl(...up(file, dir));
    expect(first.code, first.stderr).toBe(1);
    const result = JSON.parse(first.stdout) as UpResult;
    expect(result).toMatchObject({ state: 'paused', counts: { failed: 2, running: 0, succeeded: 1 } });
    expect(first.stderr).toContain('2 trials failed (max_failed: 1)');
    expect(first.stderr).toContain(`trawl up ${file} --slots 2 --dir ${dir} -o json`);
    const second = await trawl(...up(file, dir));
    expect(second.code, second.stderr).toBe(1);
  });

  test('a second run of trawl up on real MNIST images repeats no trial; a run in another folder has the same metrics', async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const file = sweepFile(folder, MNIST);
    const { stdout, stderr, code } = await trawl(...up(file, dir));
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout) as UpResult;
    expect(result).toMatchObject({ state: 'finished', counts: { succeeded: 2, failed: 0 } });
    const again = JSON.parse((await trawl(...up(file, dir))).stdout) as UpResult;
    expect(again.trials).toEqual(result.trials);

    const elsewhere = await trawl(...up(file, join(folder, 'other')));
    const metrics = (trials: readonly TrialJson[]) => trials.map((trial) => [trial.trial, trial.metrics]);
    expect(metrics((JSON.parse(elsewhere.stdout) as UpResult).trials)).toEqual(metrics(result.trials));
  });
});
