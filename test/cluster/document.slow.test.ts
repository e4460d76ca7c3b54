/**
 * Runs the commands of docs/cluster.md on four machines. Only `scp` is replaced, with a program that copies files
 * between the home folders of the machines and needs no password.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { Prometheus, prometheusMissing } from '../support/prometheus.ts';
import { isSkipped } from '../support/requirements.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { blocksOf, CommandRunner, FIRST_FORM, programs } from './document.ts';
import { machinesMissing } from './ip.ts';
import type { Machine } from './machine.ts';
import { Network } from './network.ts';

const LIMIT_MS = 400_000;
const MACHINES = ['head', 'gpu-1', 'gpu-2'];
const MONITOR = 'monitor';

const [toTheRanking = '', onPrometheus = ''] = FIRST_FORM.split('\n## Prometheus\n');

test('docs/cluster.md needs at most ten commands from the start to a ranked sweep', () => {
  const blocks = blocksOf(toTheRanking);
  const commands = blocks.flatMap((block) => (block.kind === 'commands' ? block.lines : []));
  expect(commands.length).toBeGreaterThan(0);
  expect(commands.length).toBeLessThanOrEqual(10);
  expect(commands.at(-1)).toMatch(/^trawl best /);
});

const skipped = isSkipped(machinesMissing());

test.skipIf(skipped)(
  'the commands of docs/cluster.md produce a ranked sweep, and Prometheus scrapes every part of the cluster',
  { timeout: LIMIT_MS },
  async () => {
    const folder = testFolder();
    const network = await Network.create(join(folder, 'machines'), [...MACHINES, MONITOR]);
    const runner = new CommandRunner(network, await programs(folder), join(folder, 'machines'));
    for (const block of blocksOf(toTheRanking)) await runner.follow(block);
    const ranking = readFileSync(network.machine('head').log(runner.lastLog), 'utf8');
    expect(ranking).toMatch(/sweep 1 \(latent\) finished: 6 succeeded/);
    const ranked = ranking.slice(ranking.indexOf('succeeded'));
    for (const latentDim of [15, 30, 50]) expect(ranked).toMatch(new RegExp(`\\b${latentDim}\\b.* ± `));

    const noPrometheus = await prometheusMissing();
    if (noPrometheus === undefined) await expectScrapes(network, runner);
    else console.warn(`Prometheus is skipped: ${noPrometheus}`);

    const { trials, attempts } = await storeOf(network.machine('head'));
    expect(trials.map(({ state, attempts }) => `${state} ${attempts}`)).toEqual(Array(6).fill('succeeded 1'));
    expect(new Set(attempts.map(({ agent }) => agent))).toEqual(new Set(['gpu-1', 'gpu-2']));
  },
);

/**
 * Checks that Prometheus scrapes every part of the cluster with the configuration from the document. Only the intervals
 * are shortened.
 */
async function expectScrapes(network: Network, runner: CommandRunner): Promise<void> {
  const monitor = network.machine(MONITOR);
  for (const block of blocksOf(onPrometheus)) {
    if (block.kind === 'file') {
      await runner.follow({ ...block, text: block.text.replaceAll(': 15s', ': 1s') }, MONITOR);
    } else if (block.machine === MONITOR) {
      await runner.openShell(monitor, block.lines);
    } else await runner.follow(block);
  }
  const prometheus = await Prometheus.at(`http://${monitor.address}:9090`);
  const seen = await until('every target is up', async () => {
    const targets = await prometheus.targets();
    return targets.length === MACHINES.length && targets.every(({ health }) => health === 'up') && targets;
  });
  const names = seen.map(({ labels }) => `${labels.job} ${labels.instance}`).sort();
  expect(names).toEqual(['trawl-agent gpu-1', 'trawl-agent gpu-2', 'trawl-coordinator head:9464']);
  await until('Prometheus shows two connected agents', async () => {
    const [sample] = await prometheus.range('trawl_agents{state="connected"}', 60, 1);
    return sample?.values.at(-1)?.[1] === '2';
  });
}

/** Simulates a power failure of a machine, and reads the store from its disk. */
async function storeOf(machine: Machine) {
  await machine.fail();
  return readStore(machine.path('trawl-data'));
}
