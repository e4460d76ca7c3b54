/** Tests `trawl report` with the results of `trawl up`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../../proto/errors.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl } from '../support/trawl.ts';

const LIMIT_MS = 120_000;

const NOOP = `
name: "noop <b>&amp;</b>"
description: Does x matter?
trainer: noop
parameters:
  x: { values: [1, 2] }
  kind: { values: [a, b] }
  epochs: { value: 4 }
seeds: [0, 1]
hypotheses:
  - { name: H1, claim: "test_loss[x=1] > test_loss[x=2]" }
`;

const MNIST = `
trainer: autoencoder
parameters:
  latent_dim: { values: [2, 4] }
  train_size: { value: 64 }
  test_size: { value: 200 }
  epochs: { value: 1 }
`;

/** Runs a sweep to its end, and returns the test folder and the data folder of the sweep. */
async function ran(text: string): Promise<{ folder: string; dir: string }> {
  const folder = testFolder();
  const dir = join(folder, 'run');
  const { code, stderr } = await trawl('up', sweepFile(folder, text), '--slots', '2', '--dir', dir);
  expect(code, stderr).toBe(0);
  return { folder, dir };
}

async function report(...args: string[]): Promise<string[]> {
  const { stdout, stderr, code } = await trawl('report', ...args);
  expect(code, stderr).toBe(0);
  return stdout.trimEnd().split('\n');
}

describe('trawl report', { timeout: LIMIT_MS }, () => {
  test('trawl report on a data folder writes a self-contained page and Markdown with charts, and prints the paths', async () => {
    const { folder, dir } = await ran(NOOP);
    const out = join(folder, 'reports');
    const written = await report('--dir', dir, '--out', `${out}/`);
    const name = 'noop-b-amp-b-report';
    expect(written).toEqual([join(out, `${name}.html`), join(out, `${name}.md`)]);
    expect(readdirSync(out).sort()).toEqual([name, `${name}.html`, `${name}.md`]);

    const html = readFileSync(join(out, `${name}.html`), 'utf8');
    expect(html).toContain('<h1>noop &lt;b&gt;&amp;amp;&lt;/b&gt;</h1>');
    for (const id of ['question', 'design', 'verdicts', 'ranking', 'curves', 'effects', 'parallel', 'reproduce']) {
      expect(html).toContain(`<section id="${id}"`);
    }
    expect(html).not.toMatch(/<script|(?:src|href)="(?!data:image\/png|#)/);

    const markdown = readFileSync(join(out, `${name}.md`), 'utf8');
    const links = [...markdown.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, path]) => path ?? '');
    expect(links.map((path) => path.split('/')[0])).toEqual(links.map(() => name));
    expect(links.map((path) => path.split('/')[1])).toEqual(readdirSync(join(out, name)).sort());
    expect(markdown).toMatch(/^\| 1 \| 0\.\d+/m);
    expect(markdown).toContain('- **trials**: 8 = 4 configs × 2 replicates');

    const later = NOOP.split('hypotheses:')[0] ?? '';
    const file = sweepFile(
      folder,
      `${later}hypotheses: [{ name: later, claim: test_loss rises over epochs }]\n`,
      'later.yaml',
    );
    const page = join(folder, 'later.html');
    expect(await report('1', '--dir', dir, '-f', 'html', '--out', page, '--file', file)).toEqual([page]);
    expect(readFileSync(page, 'utf8')).toContain(`later <span class="badge bad">refuted</span>`);
    expect(existsSync(join(folder, 'later.md'))).toBe(false);
  });

  test('a report shows reconstructions of real images in the page, and in files next to the Markdown', async () => {
    const { folder, dir } = await ran(MNIST);
    await report('--dir', dir, '--out', `${folder}/reports/`);
    const html = readFileSync(join(folder, 'reports', 'sweep-report.html'), 'utf8');
    expect([...html.matchAll(/<img src="data:image\/png;base64,iVBORw0KGgo/g)]).toHaveLength(2);
    expect(html).toMatch(/<strong>latent_dim=[24], best<\/strong>/);
    const files = readdirSync(join(folder, 'reports', 'sweep-report'));
    const pictures = files.filter((name) => name.endsWith('.png'));
    expect(pictures).toHaveLength(2);
    for (const name of pictures) {
      const head = readFileSync(join(folder, 'reports', 'sweep-report', name)).subarray(1, 4);
      expect(head.toString('latin1')).toBe('PNG');
    }
  });

  test('trawl report rejects an unknown sweep, an invalid hypotheses file and an unwritable path', async () => {
    const { folder, dir } = await ran('trainer: noop\nparameters: { x: { value: 1 } }\n');
    const unknown = await trawl('report', 'nothing', '--dir', dir);
    expect(unknown).toMatchObject({ code: EXIT.badInput, stderr: expect.stringContaining('nothing') });
    const file = sweepFile(folder, 'trainer: noop\nparamters: {}\n', 'wrong.yaml');
    const wrong = await trawl('report', '--dir', dir, '--file', file);
    expect(wrong).toMatchObject({ code: EXIT.badInput, stderr: expect.stringContaining('wrong.yaml:2:1') });
    writeFileSync(join(folder, 'plain'), '');
    const nowhere = await trawl('report', '--dir', dir, '--out', join(folder, 'plain', 'x.html'), '-f', 'html');
    expect(nowhere).toMatchObject({ code: EXIT.badInput, stderr: expect.stringContaining('plain is a file') });
  });
});
