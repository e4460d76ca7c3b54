/** Population based training with real processes. A worker, an agent and the coordinator are killed. */
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';

const POPULATION = 4;
const EPOCHS = 4;

const SWEEP = `
method: pbt
population: ${POPULATION}
pbt: {interval: 1}
seed: 1
trainer: autoencoder
metric: {name: test_loss, goal: minimize}
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  latent_dim: {value: 15}
  train_size: {value: 960}
  test_size: {value: 100}
  epochs: {value: ${EPOCHS}}
retry: {crash: 2, backoff: 100ms}
`;

interface EventLine {
  readonly trial?: string;
  readonly kind: string;
}

interface Shown extends TrialJson {
  readonly attempt_list: readonly { readonly resumed_from: number }[];
  readonly reports: readonly { readonly epoch: number }[];
}

/** Returns the properties of each trial that must be the same with and without faults. */
function lineageOf(trials: readonly TrialJson[]) {
  return trials.map(
    ({ index, trial, seed, parameters, parent, parent_epoch, replaces, state, epoch, metrics, stop_reason }) => {
      return { index, trial, seed, parameters, parent, parent_epoch, replaces, state, epoch, metrics, stop_reason };
    },
  );
}

test('kills of the coordinator, a worker and an agent do not change the lineage or the results of a population', {
  timeout: 600_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  await Promise.all([cluster.startAgent('one', 1), cluster.startAgent('two', 1)]);
  const file = sweepFile(folder, SWEEP);
  const finish = async (sweep: string) => {
    const waited = await cluster.run('wait', sweep);
    expect(waited.code, waited.stderr).toBe(0);
    return (await cluster.trials(sweep)).toSorted((a, b) => a.index - b.index);
  };
  const expected = await finish((await cluster.json<{ sweep: string }>('submit', file)).sweep);

  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  const trials = () => cluster.trials(sweep);
  await until('two members are held while another member runs', async () => {
    const states = (await trials()).map(({ state }) => state);
    return states.filter((state) => state === 'held').length >= 2 && states.includes('running');
  });
  await cluster.coordinator.killNow();
  await cluster.startCoordinator();

  const runningChild = (before?: TrialJson) => async () =>
    (await trials()).find(({ parent, state, agent, trial, attempts }) => {
      const isNew = trial !== before?.trial || attempts > before.attempts;
      return parent !== undefined && state === 'running' && agent !== null && isNew;
    });
  const first = await until('a child runs', runningChild());
  for (const pid of cluster.workersOf(first.agent ?? '')) killNow(pid);
  const second = await until('a child runs in another attempt', runningChild(first));
  const killed = second.agent ?? '';
  await cluster.agent(killed).killNow();
  await cluster.startAgent(killed, 1);

  const ended = await finish(sweep);
  expect(lineageOf(ended)).toEqual(lineageOf(expected));
  const children = ended.filter(({ parent }) => parent !== undefined);
  // Each of the three comparisons replaces one member.
  expect(children).toHaveLength(EPOCHS - 1);
  expect(new Set(ended.map(({ trial }) => trial)).size).toBe(POPULATION + EPOCHS - 1);
  expect(new Set(children.map(({ replaces }) => replaces)).size).toBe(children.length);
  expect(children.map(({ parent_epoch }) => parent_epoch)).toEqual([1, 2, 3]);
  const attempts = (id: string) => ended.find(({ trial }) => trial === id)?.attempts ?? 0;
  expect(attempts(first.trial) + attempts(second.trial)).toBeGreaterThan(2);

  const { stdout } = await cluster.run('events', sweep, '-o', 'json');
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as EventLine);
  for (const child of children) {
    const created = events.filter(({ trial, kind }) => trial === child.trial && kind === 'created');
    expect(created).toHaveLength(1);
    const from = child.parent_epoch ?? 0;
    const shown = await cluster.json<Shown>('show', `${sweep}/${child.trial}`);
    expect(shown.attempt_list[0]?.resumed_from).toBe(from);
    for (const { resumed_from } of shown.attempt_list) expect(resumed_from).toBeGreaterThanOrEqual(from);
    const last = child.epoch;
    expect(shown.reports.map(({ epoch }) => epoch)).toEqual(
      Array.from({ length: last - from }, (_, i) => from + 1 + i),
    );
  }
});
