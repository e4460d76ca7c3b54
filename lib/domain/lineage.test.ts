import { expect, test } from 'vitest';
import { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { ancestryOf, membersOf } from './lineage.ts';

const trial = (id: string, index: number, epoch: number, origin?: [parent: string, epoch: number, replaces: string]) =>
  Trial.fromPartial({
    id,
    index,
    epoch,
    ...(origin && { origin: { parent: origin[0], epoch: origin[1], replaces: origin[2] } }),
  });

const shown = (trials: readonly Trial[]) =>
  membersOf(trials).map((lives) => lives.map(({ trial: { id }, from, to, parent }) => [id, from, to, parent]));

test("a child joins the member of the trial that it replaces, and has the index of its parent's member", () => {
  const trials = [trial('d', 3, 6, ['c', 4, 'a']), trial('a', 0, 6), trial('b', 1, 2), trial('c', 2, 6, ['a', 2, 'b'])];
  expect(shown(trials)).toEqual([
    [
      ['a', 0, 4, undefined],
      ['d', 4, 6, 1],
    ],
    [
      ['b', 0, 2, undefined],
      ['c', 2, 6, 0],
    ],
  ]);
});

test('the life of a trial that ended early ends at its last epoch, and the life of a child without reports is empty', () => {
  expect(shown([trial('a', 0, 1), trial('b', 1, 2), trial('c', 2, 0, ['b', 2, 'a'])])).toEqual([
    [
      ['a', 0, 1, undefined],
      ['c', 2, 2, 1],
    ],
    [['b', 0, 2, undefined]],
  ]);
});

test('a child starts a new member if its parent and the trial that it replaces are unknown', () => {
  expect(shown([trial('a', 0, 2), trial('c', 2, 4, ['x', 2, 'y'])])).toEqual([
    [['a', 0, 2, undefined]],
    [['c', 2, 4, undefined]],
  ]);
});

test('each trial without an origin is a member of its own', () => {
  expect(shown([])).toEqual([]);
  expect(shown([trial('b', 1, 3), trial('a', 0, 2)])).toEqual([[['a', 0, 2, undefined]], [['b', 0, 3, undefined]]]);
});

test('ancestryOf returns the last epoch of the trial and, for each ancestor, the epoch after which its child started', () => {
  const trials = [trial('a', 0, 6), trial('b', 1, 4, ['a', 2, 'x']), trial('c', 2, 8, ['b', 4, 'y'])];
  expect([...ancestryOf(trials, trials[2])]).toEqual([
    ['c', 8],
    ['b', 4],
    ['a', 2],
  ]);
  expect(ancestryOf(trials, undefined).size).toBe(0);
});
