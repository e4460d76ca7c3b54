import { expect, test } from 'vitest';
import { type Report, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, event, START_MS, sampleSweep } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { until } from '../../test/support/until.ts';
import { replaySource } from './replay-source.ts';

const HOUR_S = 3_600;
const trials = [endedTrial(0, { test_loss: 0.1 }), endedTrial(1, { test_loss: 0.2 })];
const report: Report = { attempt: 1, epoch: 1, atMs: 0, metrics: { test_loss: 0.1 } };
const history = {
  sweep: sampleSweep({ state: SweepState.FINISHED, endedAtMs: START_MS + HOUR_S * 1000 }),
  trials,
  curves: new Map([[trials[0]?.id ?? '', [report]]]),
  events: [
    event('granted', trials[0], 0.1 * HOUR_S, 'to agent gpu-1, slot 0'),
    event('succeeded', trials[0], 0.42 * HOUR_S),
    event('granted', trials[1], 0.5 * HOUR_S, 'to agent gpu-1, slot 0'),
    event('succeeded', trials[1], 0.9 * HOUR_S),
    event('sweep finished', undefined, HOUR_S),
  ],
};

/** Starts a replay that is so slow that only keys change its position. */
async function replayed() {
  const { source } = replaySource(new SampleSource({ updates: [] }), history, 0.1);
  const at = await sampleDashboard(source, { columns: 160, rows: 40 });
  const counts = () => at.dashboard.model().state.sweep?.counts;
  const press = async (...keys: string[]) => {
    await at.press(...keys);
    await at.settle();
  };
  const seek = (text: string) => press(':', ...`seek ${text}`, 'enter');
  return { ...at, press, seek, counts };
}

test('a replay can be paused, and moved with keys, by a duration, to a percentage, or to a time', async () => {
  const at = await replayed();
  expect(at.frame()[0]).toContain('REPLAY 0.1×, 0%');
  await at.press('p');
  expect(at.frame()[0]).toContain('REPLAY 0.1× paused');
  await at.seek('45%');
  await until('the trial that had ended by then', async () => {
    await at.settle();
    return at.counts()?.succeeded === 1 && at.counts()?.running === 0;
  });
  await at.press('right');
  expect(at.frame()[0]).toContain('paused, 50%, 30m00s of 1h00m');
  await until('the trial that had started by then', async () => {
    await at.settle();
    return at.counts()?.running === 1;
  });
  await at.press('left', 'left', 'left');
  expect(at.frame()[0]).toContain('35%');
  expect(at.counts()).toMatchObject({ succeeded: 0, running: 1, pending: 1 });
  expect(at.dashboard.model().state.events.map(({ kind }) => kind)).toEqual(['granted']);
  await at.seek('1h');
  await until('the end', async () => {
    await at.settle();
    return at.dashboard.model().state.sweep?.state === SweepState.FINISHED;
  });
  expect(at.frame()[0]).toContain('ended, 100%');
  await at.seek('-54m');
  expect(at.counts()).toMatchObject({ succeeded: 0, running: 1 });
  at.stop();
});

test('keys and a command change the speed of a replay, and the error about an invalid position lists the valid forms', async () => {
  const at = await replayed();
  await at.press('+', '+');
  expect(at.frame()[0]).toContain('REPLAY 0.4×');
  await at.press('-');
  expect(at.frame()[0]).toContain('REPLAY 0.2×');
  await at.press(':', ...'speed 30', 'enter');
  expect(at.frame()[0]).toContain('REPLAY 30×');
  await at.seek('tomorrow');
  expect(at.frame().join('\n')).toContain('seek needs 50%, +5m, -30s, 1h30m (from the start)');
  at.stop();
});

test('the command seek is rejected for a live sweep', async () => {
  const at = await sampleDashboard(new SampleSource({ updates: [] }), { columns: 160, rows: 40 });
  await at.press(':', ...'seek 50%', 'enter');
  expect(at.frame().join('\n')).toContain('seek works in a replay only');
  at.stop();
});
