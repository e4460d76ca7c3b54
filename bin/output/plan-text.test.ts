// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { expect, test } from 'vitest';
import { plan } from '../../coordinator/grid/plan.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { planText } from './plan-text.ts';

const TERMINAL = { width: 200, color: false } as Parameters<typeof planText>[3];

/** Returns the fields of the plan by name. */
function fieldsOf(text: string): Record<string, string> {
  const spec = parseSweep(text, 'sweep.yaml');
  const facts = { code: undefined, warnings: [], estimate: undefined };
  const [fields = ''] = planText(plan(spec), spec, facts, TERMINAL).split('\n\n');
  return Object.fromEntries(
    fields.split('\n').map((line) => {
      const [name = '', ...value] = line.trim().split(/\s{2,}|(?<=^\S+)\s/);
      return [name, value.join(' ')];
    }),
  );
}

const AUTOENCODER = 'trainer: autoencoder\nparameters: {noise_std: {min: 0.1, max: 1.0, step: 0.1}}\n';
const SEARCH = AUTOENCODER.replace(', step: 0.1', '');

test('the plan of a grid shows the method, the metric with its goal, and the rungs before the last epoch', () => {
  expect(fieldsOf(`${AUTOENCODER}early_terminate: {type: asha}\norder: shuffled\nseed: 7\n`)).toMatchObject({
    method: 'grid, shuffled with seed 7',
    metric: 'minimize test_loss, last value of each trial',
    trials: '10',
    early_terminate: 'asha, min_iter 1, eta 3',
    rungs: '1, 3, 9 (steps)',
  });
});

test('the plan of a search shows its seed and run_cap', () => {
  expect(fieldsOf(`${SEARCH}method: tpe\nmetric: {name: psnr, at: best}\n`)).toMatchObject({
    method: 'tpe, seed 0',
    metric: 'maximize psnr, best value of each trial',
    run_cap: '10,000 (default)',
  });
  expect(fieldsOf(`${SEARCH}method: random\nseed: 3\nrun_cap: 5\n`)).toMatchObject({
    method: 'random, seed 3',
    run_cap: '5',
    trials: '5',
  });
});

test('the plan of several objectives shows each goal', () => {
  expect(fieldsOf(`${SEARCH}method: sobol\nrun_cap: 4\nmetrics: [{name: psnr}, {name: test_loss}]\n`)).toMatchObject({
    method: 'sobol',
    metrics: 'maximize psnr, minimize test_loss',
  });
});

test('the plan of a population counts the children', () => {
  const text = `${SEARCH}method: pbt\npopulation: 8\npbt: {interval: 3}\n`;
  expect(fieldsOf(text)).toMatchObject({
    method: 'pbt, seed 0',
    trials: 'at most 14: 8 members, and up to 2 children after each of 3 comparisons',
  });
  expect(fieldsOf(`${text}run_cap: 9\n`)).toMatchObject({
    trials: 'at most 9: 8 members, and up to 2 children after each of 3 comparisons',
    run_cap: '9',
  });
  const program = 'command: [t, "${args}"]\nmetric: {name: loss}\nparameters: {lr: {min: 0.1, max: 1.0}}\n';
  expect(fieldsOf(`${program}method: pbt\npopulation: 4\npbt: {interval: 3, explore: [lr]}\n`).trials).toBe(
    '4 members, and up to 1 child after each comparison',
  );
});

test('the plan of a program shows the first rungs, because the last epoch of a program is not known', () => {
  const program = 'command: [t, "${args}"]\nmetric: {name: loss}\nparameters: {lr: {values: [1, 2]}}\n';
  expect(fieldsOf(`${program}early_terminate: {type: hyperband, min_iter: 2}\n`).rungs).toBe(
    '2, 6, 18, ... (values of the metric)',
  );
});
