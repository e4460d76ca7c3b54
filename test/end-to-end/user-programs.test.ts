/** Tests `trawl up` with users' programs: the shipped examples, and programs that fail. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sweepFile, testFolder } from '../support/folder.ts';
import { alive, descendantsOf, killNow } from '../support/processes.ts';
import { startTrawl, trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { ranExample, type UpResult, up } from './up-command.ts';

describe('user programs', { timeout: 120_000 }, () => {
  test('every trial of the Python example succeeds and is ranked by its metric, and its log and every epoch are stored', async () => {
    const { dir, result } = await ranExample('python');
    expect(result).toMatchObject({ state: 'finished', counts: { succeeded: 8, failed: 0 } });
    expect(result.trials.map(({ rank }) => rank)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const losses = result.trials.map(({ metrics }) => metrics.loss ?? Number.NaN);
    expect(losses).toEqual([...losses].sort((a, b) => a - b));
    expect(result.trials[0]?.parameters).toMatchObject({ momentum: 0.9, epochs: 10 });
    const best = await trawlJson<{ reports: { epoch: number; metrics: Record<string, number> }[] }>(
      ...['show', result.trials[0]?.trial ?? '', '--dir', dir],
    );
    expect(best.reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(Object.keys(best.reports[0]?.metrics ?? {}).sort()).toEqual(['loss', 'x', 'y']);
  });

  test('the failure message of a program quotes the last output of the program', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'fails.sh'), 'echo the disk is on fire >&2; exit 3\n');
    const text = 'command: [sh, fails.sh]\nmetric: {name: loss}\nparameters: {}\nretry: {crash: 0}\n';
    const { stdout, code } = await trawl(...up(sweepFile(folder, text), join(folder, 'run'), folder));
    expect(code).toBe(1);
    const [trial] = (JSON.parse(stdout) as UpResult).trials;
    expect(trial?.failure?.class).toBe('crash');
    expect(trial?.failure?.message).toContain('sh exited with code 3');
    expect(trial?.failure?.message).toContain('the disk is on fire');
  });

  test('a program that never reports the ranking metric causes a warning, and its sweep is paused after five trials', async () => {
    const folder = testFolder();
    // A slot holds a trial in advance only if the trial takes at most 100 ms. The trials of this sweep take longer, so
    // the sixth trial has not started when the sweep is paused.
    writeFileSync(join(folder, 'typo.sh'), `sleep 0.2; echo '{"epoch": 1, "top1-accuracy": 0.5, "lr": 1}'\n`);
    const text =
      'command: [sh, typo.sh]\nmetric: {name: top1_accuracy, goal: maximize}\n' +
      'parameters: {lr: {values: [1, 2, 3, 4, 5, 6, 7]}}\n';
    const dir = join(folder, 'run');
    const file = sweepFile(folder, text);
    const first = await trawl(...up(file, dir, folder), '--slots', '1');
    expect(first.code, first.stderr).toBe(1);
    const paused = JSON.parse(first.stdout) as UpResult & { reason: string; warnings: { kind: string }[] };
    expect(paused.state).toBe('paused');
    expect(paused.reason).toBe(
      'the first 5 trials ended without metric "top1_accuracy"; reported: top1-accuracy, lr; did you mean "top1-accuracy"?',
    );
    expect(paused.warnings).toMatchObject([{ kind: 'missing_metric', count: 5 }]);
    expect(first.stderr).toContain(`trawl up ${file} --slots 2 --dir ${dir} --workdir ${folder} -o json --slots 1`);
    const best = await trawl('best', '--dir', dir);
    expect(best.stdout).toMatch(/^no results: 5 of 5 ended trials did not report metric "top1_accuracy"; reported: /);
    const { stderr, stdout, code } = await trawl(...up(file, dir, folder), '--slots', '1');
    expect(code, stderr).toBe(0);
    expect((JSON.parse(stdout) as UpResult).counts).toMatchObject({ succeeded: 7 });
    const warnings = stderr.match(/trawl: warning: .*/g) ?? [];
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('no parameter seems to reach the program');
    expect(warnings[1]).toContain('warning: sweep 1: ');
  });

  test('a timeout stops a program with SIGTERM, and the program has time to exit', async () => {
    const folder = testFolder();
    const ended = join(folder, 'ended');
    writeFileSync(
      join(folder, 'slow.sh'),
      `trap 'sleep 3; echo yes > "$1"; exit 0' TERM\necho '{"loss": 1}'\nwhile :; do sleep 0.1; done\n`,
    );
    const text = `command: [sh, slow.sh, ${JSON.stringify(ended)}]\nmetric: {name: loss}\nparameters: {}\ntimeout: 2s\nretry: {timeout: 0}\n`;
    const dir = join(folder, 'run');
    const running = startTrawl(...up(sweepFile(folder, `${text}seeds: [0, 1]\n`), dir, folder), '--slots', '1');
    await until('the program has handled SIGTERM', () => existsSync(ended));
    const { stdout } = await running.ended;
    const classes = (JSON.parse(stdout) as UpResult).trials.map(({ failure }) => failure?.class);
    expect(classes).toEqual(['timeout', 'timeout']);
    expect(readFileSync(ended, 'utf8')).toBe('yes\n');
  });

  test('an attempt that runs out of memory fails with class oom, and its trial is retried as often as the sweep file allows', async () => {
    const folder = testFolder();
    writeFileSync(
      join(folder, 'oom.sh'),
      `case $1 in
         torch) echo 'Traceback (most recent call last):' >&2; echo '  File "t.py", line 1' >&2
                echo 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.' >&2 ;;
         jax) echo 'jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory' ;;
         numpy) echo 'numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7 GiB for an array' >&2 ;;
         other) echo 'ValueError: 7' >&2 ;;
       esac; exit 1\n`,
    );
    const text =
      `command: [sh, oom.sh, "\${param:by}"]\nmetric: {name: loss}\nretry: {oom: 1, crash: 0, backoff: 0s}\n` +
      'parameters: {by: {values: [torch, jax, numpy, other]}}\n';
    const { stdout } = await trawl(...up(sweepFile(folder, text), join(folder, 'run'), folder));
    const ends = (JSON.parse(stdout) as UpResult).trials.map(({ parameters, failure, attempts }) => {
      return [parameters.by, failure?.class, attempts];
    });
    expect(new Set(ends.map((end) => end.join(' ')))).toEqual(
      new Set(['torch oom 2', 'jax oom 2', 'numpy oom 2', 'other crash 1']),
    );
  });

  test('after kill -9 of trawl, no program keeps running', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'long.sh'), 'sleep 600 & echo "$$ $!" > "$1.new"; mv "$1.new" "$1"; wait\n');
    const file = join(folder, 'pids');
    const text = `command: [sh, long.sh, ${JSON.stringify(file)}]\nmetric: {name: loss}\nparameters: {}\n`;
    const running = startTrawl(...up(sweepFile(folder, text), join(folder, 'run'), folder));
    const program = await until('the program runs', () => existsSync(file) && readFileSync(file, 'utf8'));
    const family = [...program.trim().split(' ').map(Number), ...descendantsOf(running.pid)];
    killNow(running.pid);
    await until('its processes are gone', () => alive(family).length === 0);
  });
});
