/**
 * Runs W&B sweep files that use a search method or early stopping. The program of these files takes the arguments that
 * W&B's agent passes, and does not need W&B.
 */
import { join } from 'node:path';
import { median } from 'd3-array';
import { describe, expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../support/folder.ts';
import { hasTool } from '../support/tool.ts';
import { trawl } from '../support/trawl.ts';
import { showTrial } from './sweep.ts';

const folder = join(packageRoot(), 'test', 'frameworks', 'wandb-files');

/** Runs the sweep of a file to its end on two slots. Returns the trials in the order of their creation. */
async function ran(name: string): Promise<{ readonly dir: string; readonly trials: readonly TrialJson[] }> {
  const dir = join(testFolder(), 'run');
  const file = join(folder, name);
  const up = await trawl('up', file, '--slots', '2', '--dir', dir, '--workdir', folder, '-o', 'json');
  expect(up.code, up.stderr).toBe(0);
  const result = JSON.parse(up.stdout) as { state: string; warnings: unknown[]; trials: TrialJson[] };
  expect(result).toMatchObject({ state: 'finished', warnings: [] });
  return { dir, trials: result.trials.toSorted((one, other) => one.index - other.index) };
}

const numbers = (trials: readonly TrialJson[], name: string): number[] =>
  trials.map(({ parameters }) => Number(parameters[name]));

/** Checks that numbers lie between `low` and `high`, and that some are below and some above `middle`. */
function expectAround(values: readonly number[], low: number, middle: number, high: number): void {
  for (const value of values) {
    expect(value).toBeGreaterThanOrEqual(low);
    expect(value).toBeLessThanOrEqual(high);
  }
  expect(Math.min(...values)).toBeLessThan(middle);
  expect(Math.max(...values)).toBeGreaterThan(middle);
}

function expectMultiples(values: readonly number[], q: number): void {
  for (const value of values) expect(value / q).toBeCloseTo(Math.round(value / q), 9);
}

describe.runIf(hasTool('python3'))('a W&B sweep file runs unchanged', () => {
  test('with method random and every distribution', async () => {
    const { trials } = await ran('random.yaml');
    expect(trials.map(({ state, epoch }) => [state, epoch])).toEqual(Array(12).fill(['succeeded', 2]));
    const of = (name: string) => numbers(trials, name);
    expect(new Set(trials.map(({ parameters }) => parameters.optimizer))).toEqual(new Set(['adam', 'sgd']));
    expect(['relu', 'tanh', 'gelu']).toEqual(
      expect.arrayContaining(trials.map(({ parameters }) => parameters.activation as string)),
    );
    expectAround(of('layers'), 1, 3.5, 6);
    expectMultiples(of('layers'), 1);
    expectAround(of('momentum'), 0.5, 0.745, 0.99);
    expectAround(of('dropout'), 0, 0.25, 0.5);
    expectMultiples(of('dropout'), 0.1);
    expectAround(of('learning_rate'), 1e-4, 10 ** -2.5, 0.1);
    expectAround(of('batch_size'), 16, 64, 256);
    expectMultiples(of('batch_size'), 16);
    expectAround(of('keep'), 0.001, Math.sqrt(0.001 * 0.5), 0.5);
    expectAround(of('weight_decay'), Math.exp(-12), Math.exp(-8), Math.exp(-4));
    expectAround(of('warmup'), 10, Math.exp(4), 400);
    expectMultiples(of('warmup'), 5);
    expectAround(of('inverse'), Math.exp(-5), Math.exp(-3), Math.exp(-1));
    expectAround(of('bias'), 1.5, 2, 2.5);
    expectAround(of('width'), 0, 128, 256);
    expectMultiples(of('width'), 8);
    expectAround(of('scale'), Math.exp(-2.5), 1, Math.exp(2.5));
    expectAround(of('hidden'), 16, Math.exp(5), Math.exp(7.5));
    expectMultiples(of('hidden'), 16);
    expectAround(of('beta'), 0, 5 / 6, 1);
    expectAround(of('mix'), 0, 0.5, 1);
    expectMultiples(of('mix'), 0.1);
    for (const { parameters, metrics } of trials) {
      const received = Object.entries(metrics).filter(([name]) => name.startsWith('received.'));
      expect(received).toHaveLength(16);
      for (const [name, value] of received) expect(value).toBe(Number(parameters[name.slice('received.'.length)]));
    }
  });

  test('with method bayes, and its later points are better than its first points, which are random', async () => {
    const { trials } = await ran('bayes.yaml');
    expect(trials.map(({ state }) => state)).toEqual(Array(22).fill('succeeded'));
    expectAround(numbers(trials, 'learning_rate'), Math.exp(-9.2), Math.exp(-5.75), Math.exp(-2.3));
    expectAround(numbers(trials, 'momentum'), 0, 0.495, 0.99);
    const losses = trials.map(({ metrics }) => metrics.val_loss ?? Number.NaN);
    expect(median(losses.slice(12))).toBeLessThan(median(losses.slice(0, 10)) ?? 0);
  });

  test('with early_terminate, and hyperband stops bad trials; explain and events show the reason', async () => {
    const { dir, trials } = await ran('early-terminate.yaml');
    expectAround(numbers(trials, 'learning_rate'), 1e-4, 10 ** -2.5, 0.1);
    expectAround(numbers(trials, 'momentum'), 0.5, 0.745, 0.99);
    const stopped = trials.filter(({ state }) => state === 'stopped');
    expect(stopped.length).toBeGreaterThan(0);
    expect(stopped.length).toBeLessThan(10);
    for (const trial of trials) {
      if (trial.state === 'stopped') {
        expect(trial.stop_reason).toMatch(
          /^hyperband: best value [\d.]+ is worse than [\d.]+, the limit among \d+ trials at bracket [248]$/,
        );
      } else expect([trial.state, trial.epoch]).toEqual(['succeeded', 9]);
    }
    const best = trials.find(({ rank }) => rank === 1);
    expect(best?.state).toBe('succeeded');

    const [first] = stopped;
    const reason = first?.stop_reason ?? '';
    const { reports } = await showTrial(dir, first);
    expect(reports.length).toBeLessThan(9);
    const explained = await trawl('explain', first?.trial ?? '', '--dir', dir);
    expect(explained.stdout.replace(/\s+/g, ' ')).toContain(reason);
    const events = await trawl('events', 'last', '--dir', dir, '-o', 'json');
    expect(events.stdout.split('\n').filter((line) => line.includes(reason))).toHaveLength(1);
  });
});
