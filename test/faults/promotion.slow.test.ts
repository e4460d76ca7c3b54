/** The `promotion` variant of asha with real processes: held trials survive kills, and resume on another agent. */
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

/** The learning rates that give the lowest and the second lowest loss after every epoch. */
const BEST = 0.001;
const SECOND = 0.0003;
/** The learning rates in the order in which the trials start. */
const RATES = [BEST, 1e-5, SECOND, 1e-6];

const sweepOf = (rates: readonly number[], rule: string) => `
trainer: autoencoder
metric: {name: test_loss, goal: minimize}
${rule}
parameters:
  learning_rate: {values: ${JSON.stringify(rates)}}
  latent_dim: {value: 15}
  train_size: {value: 5760}
  test_size: {value: 100}
  epochs: {value: 3}
retry: {crash: 2, backoff: 100ms}
`;

interface Shown extends TrialJson {
  readonly attempt_list: readonly { readonly agent: string; readonly resumed_from: number }[];
  readonly reports: readonly { readonly attempt: number; readonly epoch: number }[];
}

test('a held trial survives kills of its agent and of the coordinator, resumes on another agent, and has the same results as in a sweep without faults', {
  timeout: 600_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  await cluster.startAgent('one', 1);
  const alone = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, sweepOf([BEST, SECOND], '')));
  expect((await cluster.run('wait', alone.sweep)).code).toBe(0);
  const [best, second] = await cluster.trials(alone.sweep);

  const rule = 'early_terminate: {type: asha, variant: promotion, min_iter: 1, eta: 2}';
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, sweepOf(RATES, rule)));
  const stateOf = async (rate: number) =>
    (await cluster.trials(sweep)).find(({ parameters }) => parameters.learning_rate === rate)?.state;
  await until('the first trial is held while the second trial runs', async () => {
    return (await stateOf(BEST)) === 'held' && (await stateOf(1e-5)) === 'running';
  });
  await cluster.coordinator.killNow();
  await cluster.agent('one').killNow();
  await cluster.startCoordinator();
  expect(await stateOf(BEST)).toBe('held');
  await cluster.startAgent('two', 1);
  await until('the first trial is promoted and held again', async () => {
    const [first] = (await cluster.trials(sweep)).filter(({ parameters }) => parameters.learning_rate === BEST);
    return first?.state === 'held' && first.epoch === 2;
  });
  await cluster.coordinator.killNow();
  await cluster.startCoordinator();
  await cluster.startAgent('one', 1);
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);

  const trials = await cluster.trials(sweep);
  expect(trials.map(({ parameters, state, epoch }) => [parameters.learning_rate, state, epoch])).toEqual([
    [BEST, 'succeeded', 3],
    [SECOND, 'stopped', 2],
    [1e-5, 'stopped', 1],
    [1e-6, 'stopped', 1],
  ]);
  const shown = await cluster.json<Shown>('show', `${sweep}/${trials[0]?.trial}`);
  expect(shown.attempt_list.slice(0, 2)).toMatchObject([
    { agent: 'one', resumed_from: 0 },
    { agent: 'two', resumed_from: 1 },
  ]);
  expect(shown.attempt_list.at(-1)).toMatchObject({ resumed_from: 2 });
  expect(shown.reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  expect(shown.metrics).toEqual(best?.metrics);
  // The second-best trial was held at rung 2, so its loss is higher than without early stopping.
  expect(trials[1]?.metrics.test_loss).toBeGreaterThan(second?.metrics.test_loss ?? 1);
  for (const { stop_reason: reason } of trials.slice(1)) expect(reason).toMatch(/^asha: .* at rung [12];/);
});
