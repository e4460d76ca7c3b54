import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl, trawlJson } from '../support/trawl.ts';

const PARAMETERS = 'parameters: {a: {values: [1]}}';

describe('trawl plan', { timeout: 60_000 }, () => {
  test.each([
    ['an unknown key', `trainer: noop\n${PARAMETERS}\nexcludes: []\n`, /:3:1: .*exclude/],
    ['an empty axis', 'trainer: noop\nparameters:\n  a: {values: []}\n', /:3:/],
    ['a wrong type', `trainer: noop\n${PARAMETERS}\nconcurrency: many\n`, /:3:/],
    ['a when rule on an unknown parameter', `trainer: noop\n${PARAMETERS}\nwhen: [{if: {b: 1}, set: {a: 1}}]\n`, /:3:/],
    ['a duplicate key', `trainer: noop\n${PARAMETERS}\ntrainer: noop\n`, /:3:1/],
    ['NaN', 'trainer: noop\nparameters:\n  a: {values: [.nan]}\n', /:3:/],
    [
      'an unknown trainer parameter',
      'trainer: autoencoder\nparameters:\n  latent: {values: [3]}\n',
      /:3:3: .*latent_dim/,
    ],
    ['an unsupported key', `trainer: noop\n${PARAMETERS}\nparent: 1\n`, /:3:1: .*not yet supported/],
    ['bad UTF-8', Buffer.from([0x61, 0x3a, 0xff, 0xfe]), /UTF-8/],
    ['a YAML bomb', bomb(), /alias/],
  ])('a sweep file with %s is rejected, and the error names the line or the reason', async (_what, text, message) => {
    const { stderr, stdout, code } = await trawl('plan', sweepFile(testFolder(), text));
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
  });

  test('trawl plan shows a Bayesian search as tpe', async () => {
    const text = 'program: t.py\nmethod: bayes\nrun_cap: 5\nparameters: {lr: {min: 0.5, max: 0.9}}\n';
    const file = sweepFile(testFolder(), text);
    expect(await trawlJson('plan', file)).toMatchObject({ method: 'tpe', trials: 5, run_cap: 5 });
    expect((await trawl('plan', file)).stdout).toContain('method bayes is treated as tpe');
  });

  test.each(['random', 'sobol', 'tpe', 'bayes'])(
    'a %s search runs run_cap trials, all within the search space',
    async (method) => {
      const folder = testFolder();
      const text = `trainer: noop\nmethod: ${method}\nrun_cap: 5\nparameters: {x: {min: 0.5, max: 0.9}, epochs: {value: 1}}\n`;
      const up = await trawl('up', sweepFile(folder, text), '--slots', '2', '--dir', join(folder, 'run'), '-o', 'json');
      expect(up.code, up.stderr).toBe(0);
      const { counts, trials } = JSON.parse(up.stdout) as { counts: unknown; trials: { parameters: { x: number } }[] };
      expect(counts).toMatchObject({ succeeded: 5, failed: 0 });
      const values = trials.map(({ parameters }) => parameters.x);
      expect(new Set(values).size).toBe(5);
      expect(values.every((x) => x >= 0.5 && x <= 0.9)).toBe(true);
    },
  );

  test('a sweep file of 200 MB is rejected because of its size', async () => {
    const file = sweepFile(testFolder(), '');
    truncateSync(file, 200 * 2 ** 20);
    const { stderr, code } = await trawl('plan', file);
    expect(code).toBe(2);
    expect(stderr).toMatch(/MiB/);
  });

  test('trawl plan counts a grid of a billion points, and takes exclusions into account', async () => {
    const axes = ['a', 'b', 'c'].map((name) => `  ${name}: {min: 1, max: 1000, step: 1}`).join('\n');
    const text = `trainer: noop\nparameters:\n${axes}\nexclude: [{a: 1, b: 2}]\n`;
    expect(await trawlJson('plan', sweepFile(testFolder(), text, 'huge.yaml'))).toMatchObject({
      sweep: 'huge',
      trials: 10 ** 9 - 1000,
      configs: 10 ** 9 - 1000,
      replicates: 1,
      axes: { a: 1000, b: 1000, c: 1000 },
      excluded: [{ rule: 'a=1, b=2', count: 1000 }],
      duplicates: 0,
    });
  });
});

/** Returns a YAML file whose aliases expand to about 400 million nodes. */
function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, at) => {
    const below = at === 0 ? '1' : `*l${at - 1}`;
    return `l${at}: &l${at} [${Array(9).fill(below).join(', ')}]`;
  });
  return `${levels.join('\n')}\n`;
}
