import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toWire } from '../../lib/domain/parameters.ts';
import { configValue } from '../../lib/domain/trial-result.ts';
import { Goal, MetricAt } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { type Board, type ConfigRow, EMPTY_BOARD, updateBoard } from './board.ts';
import { orderOf, rankOf, reorder } from './order.ts';
import { EMPTY_STATE, reduce } from './reducer.ts';

const value = fc.constantFrom(0.1, 0.2, 0.3, 0.4, Number.NaN);
const reports = fc.array(fc.tuple(fc.nat(11), value, value), { maxLength: 40 });

const trialOf = (index: number, test_loss: number, psnr: number) => ({
  ...endedTrial(0, { test_loss, psnr }),
  id: `trial-${index}`,
  configId: `config-${index % 6}`,
  index,
  parameters: toWire({ x: index % 6 }),
});

const stateOf = (all: readonly (readonly [number, number, number])[]) => {
  const trials = [...new Map(all.map((one) => [one[0], trialOf(...one)])).values()];
  return reduce(EMPTY_STATE, snapshot(sampleSweep(), trials));
};

test('incremental updates of a board give the same board as a new computation from all trials, however the reports are divided into updates', () => {
  fc.assert(
    fc.property(reports, fc.integer({ min: 1, max: 7 }), (all, step) => {
      const ordering = { key: (row: ConfigRow) => configValue(row.trials, 'psnr'), descending: true, keep: () => true };
      const choose = (board: Board): Board => ({
        ...board,
        chosen: board.chosen ?? { key: 'psnr', order: orderOf(board.configs, ordering) },
      });
      let board = choose(updateBoard(EMPTY_BOARD, stateOf([]), undefined));
      for (let at = 0; at < all.length; at += step) {
        const changed = all.slice(at, at + step).map((one) => trialOf(...one));
        board = choose(updateBoard(board, stateOf(all.slice(0, at + step)), changed));
      }
      const rebuilt = updateBoard(EMPTY_BOARD, stateOf(all), undefined);
      const byId = (rows: typeof board.configs) => rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      expect(byId(board.configs)).toEqual(byId(rebuilt.configs));
      expect(board.ranked.map(({ rows }) => rows)).toEqual(rebuilt.ranked.map(({ rows }) => rows));
      expect(board.pareto).toEqual(rebuilt.pareto);
      expect(board.metricNames).toEqual(rebuilt.metricNames);
      expect(board.hasReplicates).toBe(rebuilt.configs.some(({ trials }) => trials.length > 1));
      expect(board.chosen?.order.rows).toEqual(orderOf(rebuilt.configs, ordering).rows);
    }),
  );
});

test('the Pareto front holds exactly the configs that no other config dominates', () => {
  fc.assert(
    fc.property(reports, (all) => {
      const board = updateBoard(EMPTY_BOARD, stateOf(all), undefined);
      const points = board.configs.flatMap((row) => {
        const [loss, psnr] = [configValue(row.trials, 'test_loss'), configValue(row.trials, 'psnr')];
        return loss === undefined || psnr === undefined ? [] : [{ id: row.id, loss, psnr }];
      });
      const front = points.filter(
        (a) => !points.some((b) => b.loss <= a.loss && b.psnr >= a.psnr && (b.loss < a.loss || b.psnr > a.psnr)),
      );
      expect([...board.pareto].sort()).toEqual(front.map(({ id }) => id).sort());
    }),
  );
});

test('an incremental update of an order gives the same order as sorting all rows again', () => {
  const row = fc.record({ index: fc.nat(30), key: fc.option(fc.oneof(fc.nat(5), fc.constantFrom('a', 'b'))) });
  fc.assert(
    fc.property(fc.array(row), fc.array(row), fc.boolean(), fc.nat(5), (before, after, descending, least) => {
      const named = (rows: typeof before) =>
        new Map(rows.map((one) => [`r${one.index}`, { ...one, id: `r${one.index}` }]));
      const ordering = {
        key: ({ key }: { key: number | string | null }) => key ?? undefined,
        descending,
        keep: ({ index }: { index: number }) => index >= least,
      };
      const old = named(before);
      const all = new Map([...old, ...named(after)]);
      const changes = new Map([...named(after)].map(([id, after]) => [id, { before: old.get(id), after }]));
      const kept = reorder(orderOf(old.values(), ordering), changes);
      expect(kept.rows).toEqual(orderOf(all.values(), ordering).rows);
    }),
  );
});

test('equal values share a rank, and every rank is one more than the number of better values', () => {
  const rows = [0.2, 0.1, 0.2, 0.3].map((loss, index) => ({ id: `${index}`, index, loss }));
  const order = orderOf(rows, { key: ({ loss }) => loss, descending: false, keep: () => true });
  expect(rows.map(({ loss }) => rankOf(order, loss))).toEqual([2, 1, 2, 4]);
});

test('the Pareto front of three objectives holds exactly the configs that no other config dominates', () => {
  const names = ['test_loss', 'psnr', 'train_loss'];
  const sweep = {
    ...sampleSweep(),
    objectives: names.map((name) => ({
      ...{ name, at: MetricAt.LAST, target: undefined },
      goal: name === 'psnr' ? Goal.MAXIMIZE : Goal.MINIMIZE,
    })),
  };
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value, value), { maxLength: 8 }), (all) => {
      const trials = all.map((values, index) => ({
        ...endedTrial(0, Object.fromEntries(names.map((name, at) => [name, values[at] ?? 0]))),
        ...{ id: `t${index}`, configId: `c${index}`, index },
      }));
      const board = updateBoard(EMPTY_BOARD, reduce(EMPTY_STATE, snapshot(sweep, trials)), undefined);
      const losses = all.map(([a, b, c]) => [a, -b, c]);
      const complete = losses.flatMap((own, at) => (own.some(Number.isNaN) ? [] : [{ own, at }]));
      const isBetter = (a: number[], b: number[]) =>
        a.every((loss, m) => loss <= (b[m] ?? 0)) && a.some((loss, m) => loss < (b[m] ?? 0));
      const front = complete.filter(({ own }) => !complete.some((other) => isBetter(other.own, own)));
      expect(board.metrics.map(({ name }) => name)).toEqual(names);
      expect([...board.pareto].sort()).toEqual(front.map(({ at }) => `c${at}`).sort());
    }),
  );
});
