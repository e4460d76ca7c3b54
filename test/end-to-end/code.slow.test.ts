/** Code that is sent to the agents with a sweep. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';

/**
 * A program that writes a model to its working folder, and fails if another trial wrote the same file in the meantime.
 */
const TRAIN = `
echo "model of $1" > model.pt
sleep 1
[ "$(cat model.pt)" = "model of $1" ] || exit 1
cp model.pt "$TRAWL_ARTIFACTS/"
echo "{\\"epoch\\": 1, \\"loss\\": $1, \\"version\\": VERSION}"
`;
const SWEEP = `
name: shipped
command: [sh, train.sh, "\${param:x}"]
code: {dir: project}
metric: {name: loss, goal: minimize}
retry: {crash: 0}
parameters:
  x: {values: [1, 2, 3, 4]}
`;

const PYTHON_SWEEP = `
command: [python3, train.py, "\${args}"]
code: .
metric: {name: loss, goal: minimize}
parameters:
  lr: {value: 0.1}
`;
const HAS_PYTHON = spawnSync('python3', ['--version']).status === 0;

function project(folder: string, train: string): string {
  mkdirSync(join(folder, 'project'), { recursive: true });
  writeFileSync(join(folder, 'project', 'train.sh'), train);
  writeFileSync(join(folder, 'sweep.yaml'), SWEEP);
  return join(folder, 'sweep.yaml');
}

const version = (number: number) => TRAIN.replace('VERSION', `${number}`);

describe('code', { timeout: 300_000 }, () => {
  test('two agents without a copy of the program run it, and trials that write to the same path keep separate files', async () => {
    const folder = testFolder();
    const cluster = await Cluster.start(folder);
    for (const name of ['left', 'right']) {
      mkdirSync(join(folder, `${name}-empty`));
      await cluster.startAgent(name, 2, undefined, 1, ['--workdir', join(folder, `${name}-empty`)]);
    }
    await until('both agents are connected', async () => (await cluster.agents()).length === 2);
    const file = project(folder, version(1));
    const submitted = await cluster.run('submit', file, '--wait');
    expect(submitted.code, submitted.stderr).toBe(0);
    expect(submitted.stderr).toMatch(
      /code: 1 file, [\d.]+ KiB, sha256 [0-9a-f]{12}; no commit recorded: the folder is not/,
    );

    const trials = await cluster.json<TrialJson[]>('trials', 'last');
    expect(new Set(trials.map(({ agent }) => agent))).toEqual(new Set(['left', 'right']));
    for (const { trial, parameters, metrics } of trials) {
      expect(metrics).toEqual({ loss: parameters.x, version: 1 });
      const out = join(folder, 'models', trial);
      expect((await cluster.run('artifacts', 'get', trial, 'model.pt', '--out', out)).code).toBe(0);
      expect(readFileSync(join(out, 'model.pt'), 'utf8')).toBe(`model of ${parameters.x}\n`);
    }
    for (const name of ['left', 'right']) {
      expect(readdirSync(join(folder, `${name}-empty`))).toEqual([]);
      expect(archivesIn(join(folder, name, 'code'))).toHaveLength(1);
      await until(
        'the folders of the attempts are removed',
        () => readdirSync(join(folder, name, 'attempts')).length === 0,
      );
    }
  });

  test('a retried trial runs the submitted code, and a backup contains this code', async () => {
    const folder = testFolder();
    const cluster = await Cluster.start(folder);
    const flag = join(folder, 'flag');
    const file = project(folder, `[ -e ${flag} ] || exit 1\n${version(1)}`);
    await cluster.startAgent('a', 4);
    expect((await cluster.run('submit', file, '--wait')).code).toBe(1);
    project(folder, version(2));
    writeFileSync(flag, '');
    expect((await cluster.run('retry', 'last', '--failed')).code).toBe(0);
    expect((await cluster.run('wait', 'last')).code).toBe(0);
    const trials = await cluster.json<TrialJson[]>('trials', 'last');
    expect(trials.map(({ metrics }) => metrics.version)).toEqual([1, 1, 1, 1]);

    const backup = join(folder, 'backup');
    expect((await cluster.run('backup', '--out', backup)).code).toBe(0);
    const restored = join(folder, 'restored');
    expect((await trawl('restore', backup, '--dir', restored)).code).toBe(0);
    expect(archivesIn(join(restored, 'code'))).toEqual(archivesIn(join(cluster.dir, 'code')));
    expect(archivesIn(join(restored, 'code'))).toHaveLength(1);
  });

  test('an agent that is killed while it downloads the code runs the sweep after its restart', async () => {
    const folder = testFolder();
    const cluster = await Cluster.start(folder, { lease: '2s' });
    const file = project(folder, version(1));
    writeFileSync(join(folder, 'project', 'weights.bin'), randomBytes(90_000_000));
    await cluster.startAgent('a', 1);
    await cluster.run('submit', file);
    const parts = join(folder, 'a', 'code', '.parts');
    await until(
      'a download has begun',
      () => existsSync(parts) && readdirSync(parts).some((name) => statSync(join(parts, name)).size > 0),
    );
    killNow(cluster.agent('a').pid);
    await cluster.agent('a').exited;
    expect(archivesIn(join(folder, 'a', 'code'))).toEqual([]);
    await cluster.startAgent('a', 1);
    expect((await cluster.run('wait', 'last')).code).toBe(0);
    expect(archivesIn(join(folder, 'a', 'code'))).toHaveLength(1);
    expect(readdirSync(parts)).toEqual([]);
  });

  test('a second `up` shows the finished sweep if the code is unchanged, and submits a new sweep if the code has changed', async () => {
    const folder = testFolder();
    const file = project(folder, version(1));
    execFileSync('git', ['init', '-q'], { cwd: folder });
    const dir = join(folder, 'project', 'runs');
    const up = () => trawl('up', file, '--dir', dir, '--slots', '4', '-o', 'json');
    expect((await up()).code).toBe(0);
    const again = await up();
    expect(again.stderr).toContain('no commit recorded: the repository has no commit yet');
    expect(JSON.parse(again.stdout)).toMatchObject({ sweep: '1', wall_seconds: expect.any(Number) });
    project(folder, version(2));
    const changed = await up();
    expect(changed.stderr).toContain('the code has changed since sweep 1: submitting a new sweep');
    expect(JSON.parse(changed.stdout)).toMatchObject({
      sweep: '2',
      trials: Array(4).fill({ metrics: { version: 2 } }),
    });
    const plan = await trawlJson<{ code: { files: number; omitted: unknown } }>('plan', file);
    expect(plan.code).toMatchObject({
      files: 1,
      omitted: [{ path: 'runs', reason: 'the data folder of a coordinator' }],
    });
  });

  test.runIf(HAS_PYTHON)(
    'show prints the commit, diff, command, Python and packages that a reproduction needs',
    async () => {
      const folder = testFolder();
      const git = (...args: string[]) =>
        execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: folder, encoding: 'utf8' });
      const program = 'import json, time\ntime.sleep(3)\nprint(json.dumps({"epoch": 1, "loss": 1}))\n';
      writeFileSync(join(folder, 'train.py'), program);
      writeFileSync(join(folder, 'sweep.yaml'), PYTHON_SWEEP);
      git('init', '-q');
      git('add', '.');
      git('commit', '-qm', 'first');
      writeFileSync(join(folder, 'train.py'), `${program}# changed\n`);
      const dir = join(testFolder(), 'run');
      const ran = await trawl('up', join(folder, 'sweep.yaml'), '--dir', dir, '--slots', '1', '-o', 'json');
      expect(ran.code, ran.stderr).toBe(0);
      const [trial] = (JSON.parse(ran.stdout) as { trials: TrialJson[] }).trials;
      const shown = await trawlJson<{ code: object; environments: { packages: string[] }[] }>(
        'show',
        'last',
        '--dir',
        dir,
      );
      expect(shown.code).toMatchObject({ commit: git('rev-parse', 'HEAD').trim(), dirty: true, untracked: [] });
      expect(shown.environments).toMatchObject([{ python: expect.stringMatching(/^3\./), attempts: 1 }]);
      const detail = await trawlJson<{ programs: object[] }>('show', trial?.trial ?? '', '--dir', dir);
      const command = ['python3', 'train.py', '--lr=0.1'];
      expect(detail.programs).toMatchObject([
        { attempt: 1, command, interpreter: expect.stringMatching(/^\/.*python/) },
      ]);
      expect((await trawl('show', 'last', '--diff', '--dir', dir)).stdout).toContain('+# changed\n');
      const packages = await trawl('show', 'last', '--packages', '--dir', dir);
      expect(packages.stdout.trim().split('\n')).toEqual(shown.environments[0]?.packages);
      expect((await trawl('show', trial?.trial ?? '', '--dir', dir)).stdout).toMatch(
        /command +python3 train\.py --lr=0\.1/,
      );
      const report = join(folder, 'report.md');
      expect((await trawl('report', 'last', '--dir', dir, '--format', 'md', '--out', report)).code).toBe(0);
      const text = readFileSync(report, 'utf8');
      for (const part of [
        git('rev-parse', 'HEAD').trim(),
        '+# changed',
        'python3 train.py --lr=0.1',
        packages.stdout.trim(),
      ]) {
        expect(text).toContain(part);
      }
    },
  );
});

function archivesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.tar')) : [];
}
