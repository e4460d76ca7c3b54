/** Runs the W&B example on two agents that do not have a copy of its folder. */
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { testFolder } from '../support/folder.ts';
import { activate, INSTALL_LIMIT_MS, pythonEnvironment } from '../support/python.ts';
import { hasTool } from '../support/tool.ts';
import { until } from '../support/until.ts';
import { exampleFolder, type ShownTrial } from './sweep.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(!hasTool('python3'))('the W&B example with the code key', { timeout: 300_000 }, () => {
  let programs: string;

  beforeAll(async () => {
    programs = await pythonEnvironment(readFileSync(join(exampleFolder('wandb'), 'requirements.txt'), 'utf8'));
  }, INSTALL_LIMIT_MS);

  test('the W&B example runs unchanged on two agents; its trials are ranked, and the report contains its curves', async () => {
    activate(programs);
    const folder = testFolder();
    const project = join(folder, 'project');
    cpSync(exampleFolder('wandb'), project, { recursive: true });
    const file = join(project, 'sweep.yaml');
    appendFileSync(file, 'code: .\n');
    const cluster = await Cluster.start(folder);
    for (const name of ['left', 'right']) {
      mkdirSync(join(folder, `${name}-empty`));
      await cluster.startAgent(name, 1, undefined, 1, ['--workdir', join(folder, `${name}-empty`)]);
    }
    await until('both agents are connected', async () => (await cluster.agents()).length === 2);
    const submitted = await cluster.run('submit', file, '--wait');
    expect(submitted.code, submitted.stderr).toBe(0);

    const trials = await cluster.json<TrialJson[]>('trials', 'last');
    expect(trials).toHaveLength(8);
    expect(new Set(trials.map(({ agent }) => agent))).toEqual(new Set(['left', 'right']));
    expect(trials.map(({ rank }) => rank).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const ranked = [...trials].sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
    const losses = ranked.map(({ metrics }) => metrics.val_loss ?? Number.NaN);
    expect(losses).toEqual([...losses].sort((a, b) => a - b));
    const best = await cluster.json<ShownTrial>('show', ranked[0]?.trial ?? '');
    expect(best.reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const name of ['left', 'right']) expect(readdirSync(join(folder, `${name}-empty`))).toEqual([]);

    const out = `${join(folder, 'reports')}/`;
    const report = await cluster.run('report', 'last', '--out', out);
    expect(report.code, report.stderr).toBe(0);
    const page = report.stdout.split('\n').find((path) => path.endsWith('.html')) ?? '';
    const curves = /<section id="curves"[\s\S]*?<\/section>/.exec(readFileSync(page, 'utf8'))?.[0] ?? '';
    expect(curves).toContain('val_loss');
    const rows = [...curves.matchAll(/<tr><td class="long">([^<]*)<\/td>/g)].map(([, label]) => label);
    expect(rows.sort()).toEqual([
      'learning_rate=1e-4 momentum=0',
      'learning_rate=1e-4 momentum=0.9',
      'learning_rate=5e-4 momentum=0',
      'learning_rate=5e-4 momentum=0.9',
    ]);
  });
});
