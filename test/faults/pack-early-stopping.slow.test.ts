/** Tests each early-stopping rule with a pack of the built-in trainer, in real processes. */
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

const EPOCHS = 4;
/** The trial with the first learning rate has the lowest loss after every epoch. */
const RATES = [1e-3, 3e-4, 1e-5, 1e-6];

const sweepOf = (rule: string) => `
trainer: autoencoder
metric: {name: test_loss, goal: minimize}
${rule === '' ? '' : `early_terminate: ${rule}`}
parameters:
  learning_rate: {values: ${JSON.stringify(RATES)}}
  latent_dim: {value: 15}
  train_size: {value: 960}
  test_size: {value: 100}
  epochs: {value: ${EPOCHS}}
`;

/**
 * The loss is about 0.2 with the first learning rate, and about 0.9 with the last two. Therefore, each rule stops at
 * least one trial.
 */
const RULES = [
  '{type: asha, eta: 2}',
  '{type: asha, variant: promotion, eta: 2}',
  '{type: hyperband, min_iter: 1, eta: 2}',
  '{type: median, min_iter: 2, min_trials: 3}',
  '{type: patience, patience: 2, min_delta: 0.02}',
  '{type: threshold, worse_than: 0.6, min_iter: 2}',
];

test('each rule stops members of a pack, and the best member has the same results as without early stopping', {
  timeout: 900_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 1, cluster.address, RATES.length);
  const ended = async (rule: string) => {
    const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, sweepOf(rule)));
    await until('all trials run in one slot', async () => {
      return (await cluster.trials(sweep)).every(({ state }) => state === 'running');
    });
    const waited = await cluster.run('wait', sweep);
    expect(waited.code, waited.stderr).toBe(0);
    return cluster.trials(sweep);
  };
  const [expected] = await ended('');
  expect(expected?.parameters.learning_rate).toBe(RATES[0]);

  for (const rule of RULES) {
    const [first, ...others] = await ended(rule);
    expect([first?.trial, first?.state, first?.epoch], rule).toEqual([expected?.trial, 'succeeded', EPOCHS]);
    expect(first?.metrics, rule).toEqual(expected?.metrics);
    const stopped = others.filter(({ state }) => state === 'stopped');
    expect(stopped.length, rule).toBeGreaterThan(0);
    for (const { epoch, stop_reason: reason } of stopped) {
      expect(epoch, rule).toBeLessThan(EPOCHS);
      expect(reason, rule).toContain(`${/type: (\w+)/.exec(rule)?.[1]}: `);
    }
  }
});
