/** Tests sweeps that require GPUs, memory or labels, on agents that satisfy only some of these requirements. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { EXIT } from '../../proto/errors.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';

const TWO_CARDS = '0, NVIDIA H100 80GB HBM3, 81559\n1, NVIDIA H100 80GB HBM3, 81559\n';

interface Explained {
  readonly state: string;
  readonly since: string | null;
  readonly reasons: readonly string[];
  readonly agents: readonly { readonly agent: string; readonly fit_slots: number; readonly reasons: string[] }[];
}

/** Calls `start` while the PATH contains a fake nvidia-smi that lists two GPUs. */
async function withCards(folder: string, start: () => Promise<void>): Promise<void> {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\nprintf '%s' '${TWO_CARDS}'\n`);
  chmodSync(join(bin, 'nvidia-smi'), 0o755);
  const before = process.env.PATH;
  process.env.PATH = `${bin}:${before}`;
  try {
    await start();
  } finally {
    process.env.PATH = before;
  }
}

test('trials run only on matching agents; a trial that matches no agent blocks no other trial, and explain shows why it waits', {
  timeout: 180_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  writeFileSync(
    join(folder, 'which.sh'),
    `echo '{"gpu": '"$CUDA_VISIBLE_DEVICES"'}'; until [ -e ${join(folder, 'go')} ]; do sleep 0.1; done\n`,
  );
  const submit = async (name: string, text: string) => {
    const path = sweepFile(folder, `name: ${name}\n${text}`);
    return (await cluster.json<{ sweep: string }>('submit', path)).sweep;
  };
  const noop = 'trainer: noop\nparameters: {x: {values: [1, 2, 3]}}\n';
  const nowhere = await submit('nowhere', `${noop}resources: {labels: {zone: moon}}\n`);
  const cards = await submit(
    'cards',
    'command: [sh, which.sh]\nmetric: {name: gpu}\nparameters: {x: {values: [1, 2, 3, 4]}}\nresources: {gpu: 1, vram: 30GiB}\n',
  );
  const zone = await submit('zone', `${noop}resources: {labels: {zone: a}}\n`);
  const plain = await submit('plain', `${noop}resources: {gpu: false, labels: {}}\n`);

  await withCards(folder, () =>
    cluster.startAgent('cards', undefined, cluster.address, 1, ['--slots-per-gpu', '2', '--workdir', folder]),
  );
  await cluster.startAgent('zone', 1, cluster.address, 1, ['--label', 'zone=a', '--label', 'disk=fast']);
  await cluster.startAgent('plain', 1);

  await until('four trials run on the GPUs', async () => (await cluster.sweep(cards))?.counts?.running === 4);
  const first = (await cluster.json<TrialJson[]>('trials', cards))[0]?.trial ?? '';
  expect(await cluster.json<Explained>('explain', first)).toMatchObject({
    state: 'running',
    agents: [],
    reasons: [expect.stringMatching(/^running: attempt 1 on agent cards, slot \d/)],
  });
  writeFileSync(join(folder, 'go'), '');
  for (const sweep of [cards, zone, plain]) expect((await cluster.run('wait', sweep)).code).toBe(EXIT.done);

  const agentsOf = async (sweep: string) =>
    (await cluster.json<TrialJson[]>('trials', sweep)).map(({ agent }) => agent);
  expect(new Set(await agentsOf(cards))).toEqual(new Set(['cards']));
  expect(new Set(await agentsOf(zone))).toEqual(new Set(['zone']));
  expect(await agentsOf(plain)).not.toContain('cards');
  const seen = (await cluster.json<TrialJson[]>('trials', cards)).map(({ metrics }) => metrics.gpu);
  expect(seen.sort()).toEqual([0, 0, 1, 1]);
  const agents = await cluster.json<{ agent: string }[]>('agents');
  expect(agents.sort((a, b) => a.agent.localeCompare(b.agent))).toMatchObject([
    { agent: 'cards', slots: 4, slot_vram_bytes: Array(4).fill(81559 * 2 ** 19), labels: {} },
    { agent: 'plain' },
    { agent: 'zone', slots: 1, slot_vram_bytes: [0], labels: { zone: 'a', disk: 'fast' } },
  ]);

  const [waiting] = await cluster.json<TrialJson[]>('trials', nowhere);
  expect(waiting).toMatchObject({ state: 'pending', attempts: 0 });
  const why = await cluster.json<Explained>('explain', waiting?.trial ?? '', '--sweep', nowhere);
  expect(why).toMatchObject({ state: 'pending', since: expect.stringContaining('T') });
  expect(why.reasons).toContain('no connected agent can run it');
  expect(why.agents).toEqual([
    { agent: 'cards', fit_slots: 0, free_slots: 0, reasons: ['no label zone (the sweep requires moon)'] },
    { agent: 'plain', fit_slots: 0, free_slots: 0, reasons: ['no label zone (the sweep requires moon)'] },
    { agent: 'zone', fit_slots: 0, free_slots: 0, reasons: ['label zone is a (the sweep requires moon)'] },
  ]);
  const { stdout } = await cluster.run('explain', waiting?.trial ?? '', '--sweep', nowhere);
  expect(stdout).toContain('  zone: no: label zone is a (the sweep requires moon)\n');

  const sweep = await cluster.run('explain', '--sweep', nowhere);
  const sentence = 'running, but nothing can run: no agent has the label zone=moon';
  expect(sweep.stdout).toBe(`sweep ${nowhere}: ${sentence}\n  3 trials pending: run trawl explain TRIAL\n`);
  expect(await cluster.json('explain', '--sweep', nowhere)).toMatchObject({
    trial: null,
    sweep: nowhere,
    blocked: true,
  });

  await cluster.startAgent('moon', 1, cluster.address, 1, ['--label', 'zone=moon']);
  expect((await cluster.run('wait', nowhere)).code).toBe(EXIT.done);
  expect(new Set(await agentsOf(nowhere))).toEqual(new Set(['moon']));
});

test('invalid labels and slots are rejected before the agent connects', { timeout: 60_000 }, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const agent = (...flags: string[]) => cluster.run('agent', '--dir', join(folder, 'a'), ...flags);
  const rejected = async (...flags: string[]) => {
    const { code, stderr } = await agent(...flags);
    return [code, stderr.split('\n')[0]];
  };
  expect(await rejected('--label', 'zone')).toEqual([EXIT.badInput, expect.stringContaining('Expected NAME=VALUE')]);
  expect(await rejected('--label', '-=a')).toEqual([EXIT.badInput, expect.stringContaining('"-" cannot name a label')]);
  expect(await rejected('--label', 'z=a', '--label', 'z=b')).toEqual([
    EXIT.badInput,
    expect.stringContaining('Label z is given twice'),
  ]);
  expect(await rejected('--slots-per-gpu', '2')).toEqual([
    EXIT.rejected,
    expect.stringContaining('nvidia-smi lists none'),
  ]);
});

test('a sweep whose priority is raised runs first, even after a restart of the coordinator', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const submit = async (name: string, more: string) => {
    const text = `name: ${name}\ntrainer: noop\nparameters: {x: {min: 1, max: 6, step: 1}, duration_ms: {value: 200}}\n${more}`;
    return (await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text))).sweep;
  };
  const usual = await submit('usual', '');
  const urgent = await submit('urgent', 'priority: -1\nweight: 2\n');
  expect(await cluster.json('show', urgent)).toMatchObject({ priority: -1, weight: 2 });
  expect(await cluster.json('priority', urgent, '7')).toMatchObject({ sweep: urgent, priority: 7 });
  expect((await cluster.run('priority', urgent, '1001')).code).toBe(EXIT.badInput);
  await cluster.coordinator.killNow();
  await cluster.startCoordinator();
  expect(await cluster.json('show', urgent)).toMatchObject({ priority: 7 });
  await cluster.startAgent('one', 1);
  expect((await cluster.run('wait', usual)).code).toBe(EXIT.done);
  const started = async (sweep: string) =>
    (await cluster.json<TrialJson[]>('trials', sweep)).map(({ started_at }) => Date.parse(started_at ?? ''));
  expect(Math.max(...(await started(urgent)))).toBeLessThan(Math.min(...(await started(usual))));
  const { events } = readStore(cluster.dir);
  expect(events.filter(({ kind }) => kind === 'priority')).toMatchObject([{ detail: '7, previously -1', trial: '' }]);
  const ended = await cluster.run('priority', urgent, '1');
  expect([ended.code, ended.stderr]).toEqual([EXIT.rejected, expect.stringContaining('has already ended (finished)')]);
});
