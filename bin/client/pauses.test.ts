import { expect, test } from 'vitest';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { delta, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { followPauses, pauseText } from './pauses.ts';

const running = sampleSweep();
const paused = (reason: string, trials = 0) =>
  sampleSweep({ state: SweepState.PAUSED, reason, counts: { pending: 3, running: trials } });

async function follow(updates: readonly WatchResponse[], endWhenHalted: boolean) {
  const source = (async function* () {
    yield* updates;
  })();
  const notes: string[] = [];
  let seen = 0;
  const options = { endWhenHalted, onPause: (sweep: typeof running) => notes.push(pauseText(sweep)) };
  for await (const _ of followPauses(source, options)) seen++;
  return { seen, notes };
}

test('with endWhenHalted, a watch ends when the sweep is paused and its last running trial has ended', async () => {
  const updates = [
    snapshot(running),
    delta({ sweep: paused('the disk is full', 2) }),
    delta({ sweep: paused('the disk is full', 1) }),
    delta({}),
    delta({ sweep: paused('the disk is full', 0) }),
    delta({ sweep: running }),
  ];
  expect(await follow(updates, true)).toEqual({ seen: 5, notes: ['sweep 7 is paused (the disk is full)'] });
});

test('with endWhenHalted, a watch of a sweep that is already paused ends immediately', async () => {
  expect(await follow([snapshot(paused('')), delta({ sweep: running })], true)).toEqual({
    seen: 1,
    notes: ['sweep 7 is paused (no reason given)'],
  });
});

test('without endWhenHalted, each pause is reported and the watch continues', async () => {
  const updates = [
    snapshot(running),
    delta({ sweep: paused('a') }),
    delta({ sweep: paused('a') }),
    delta({ sweep: running }),
    delta({ sweep: paused('b') }),
  ];
  expect(await follow(updates, false)).toEqual({
    seen: 5,
    notes: ['sweep 7 is paused (a)', 'sweep 7 is paused (b)'],
  });
});

test('a watch continues if the sweep is resumed before its running trials have ended', async () => {
  const updates = [delta({ sweep: paused('a', 1) }), delta({ sweep: running }), delta({})];
  expect((await follow(updates, true)).seen).toBe(3);
});
