/** Tests `trawl up` with users' programs: the shipped examples, and programs that fail. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sweepFile, testFolder } from '../support/folder.ts';
import { alive, descendantsOf, killNow } from '../support/processes.ts';
import { startTrawl, trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { ranExample, type UpResult, up } from './up-command.ts';

describe('user programs', { timeout: 300_000 }, () => {
  test('every trial of the Node example succeeds, with metrics from a file and the parameters in one argument', async () => {
    const { result } = await ranExample('node');
    expect(result).toMatchObject({ state: 'finished', counts: { succeeded: 4, failed: 0 } });
    for (const { epoch, metrics } of result.trials) {
      expect(epoch).toBe(5);
      expect(metrics.test_accuracy).toBeGreaterThan(0.7);
    }
  });

  test("in the population example, each child continues from its parent's checkpoint, with new parameters", async () => {
    const { result, dir } = await ranExample('population');
    expect(result).toMatchObject({ state: 'finished', counts: { succeeded: 8, stopped: 10 } });
    const children = result.trials.filter(({ parent }) => parent !== undefined);
    expect(children).toHaveLength(10);
    const [child] = children.filter(({ parent_epoch }) => parent_epoch === 12);
    const { stdout: log } = await trawl('logs', child?.trial ?? '', '--attempt', '1', '--dir', dir);
    const [, ...values] = /continuing after epoch 12 with lr (\S+) and momentum (\S+)/.exec(log) ?? [];
    expect(values.map(Number)).toEqual([child?.parameters.lr, child?.parameters.momentum]);
  });

  test('replicates that ignore their seed cause a warning, and replicates that use their seed cause no warning', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'run.sh'), `echo '{"epoch": 1, "loss": '$1'}'\n`);
    const run = async (argument: string) => {
      const text = `command: [sh, run.sh, "${argument}"]\nmetric: {name: loss}\nparameters: {lr: {values: [1, 2]}}\n`;
      const { stdout } = await trawl(
        ...up(sweepFile(testFolder(), `${text}seeds: [3, 5, 8]\n`), join(testFolder(), 'run'), folder),
      );
      return (JSON.parse(stdout) as { warnings: { kind: string; count: number }[] }).warnings;
    };
    expect(await run('1')).toMatchObject([{ kind: 'identical_replicates', count: 2 }]);
    expect(await run(`\${seed}`)).toEqual([]);
  });

  test('files in TRAWL_ARTIFACTS are kept if --dir and --workdir are relative paths', async () => {
    const folder = testFolder();
    const at = (name: string) => relative(process.cwd(), join(folder, name));
    mkdirSync(join(folder, 'work'));
    writeFileSync(join(folder, 'work', 'save.sh'), `pwd; echo a > "$TRAWL_ARTIFACTS/model.pt"; echo '{"loss": 1}'\n`);
    const text = 'command: [sh, save.sh]\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n';
    const { stdout, stderr, code } = await trawl(...up(sweepFile(folder, text), at('run'), at('work')));
    expect(code, stderr).toBe(0);
    for (const { trial } of (JSON.parse(stdout) as UpResult).trials) {
      const kept = await trawlJson<{ name: string; size: number }[]>(
        'artifacts',
        'ls',
        'last',
        '--trial',
        trial,
        '--dir',
        at('run'),
      );
      expect(kept).toMatchObject([{ name: 'model.pt' }]);
    }
  });

  test('if a program with a long log fails, the error quotes the end of stdout, and the start and end of the log are stored', async () => {
    const folder = testFolder();
    const line = 'x'.repeat(50);
    writeFileSync(
      join(folder, 'long.sh'),
      `awk 'BEGIN { for (i = 1; i <= 30000; i++) print i " ${line}" }'; echo 'ValueError: shapes differ'; exit 3\n`,
    );
    const text = 'command: [sh, long.sh]\nmetric: {name: loss}\nparameters: {}\nretry: {crash: 0}\n';
    const dir = join(folder, 'run');
    const [trial] = (JSON.parse((await trawl(...up(sweepFile(folder, text), dir, folder))).stdout) as UpResult).trials;
    expect(trial?.failure).toMatchObject({
      class: 'crash',
      message: expect.stringMatching(/^ValueError: shapes differ \(sh exited with code 3\)\nstdout:\n.*29999 x/s),
    });
    const { stdout: log } = await trawl('logs', trial?.trial ?? '', '--dir', dir);
    expect(log).toContain(`\n1000 ${line}\n`);
    expect(log).toMatch(/\[trawl\] \d+ characters of the log are missing here/);
    expect(log).toContain(`\n30000 ${line}\nValueError: shapes differ\n`);
    expect(log).not.toContain(`\n5000 ${line}\n`);
  });

  test.skipIf(process.platform !== 'linux')(
    'after kill -9 of trawl, no process that started its own session keeps running',
    async () => {
      const folder = testFolder();
      const file = join(folder, 'pids');
      writeFileSync(
        join(folder, 'daemon.sh'),
        `setsid sh -c 'setsid sleep 600 & echo "$!" > "$1.new"; mv "$1.new" "$1"' sh "$1"; sleep 600\n`,
      );
      const text = `command: [sh, daemon.sh, ${JSON.stringify(file)}]\nmetric: {name: loss}\nparameters: {}\n`;
      const running = startTrawl(...up(sweepFile(folder, text), join(folder, 'run'), folder));
      const daemon = Number(await until('the daemon runs', () => existsSync(file) && readFileSync(file, 'utf8')));
      await until('the parent of the daemon has exited', () => !descendantsOf(running.pid).includes(daemon));
      expect(alive([daemon])).toEqual([daemon]);
      killNow(running.pid);
      await until('the daemon is gone', () => alive([daemon]).length === 0);
    },
  );
});
