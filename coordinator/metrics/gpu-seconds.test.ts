import { expect, test } from 'vitest';
import { GpuSeconds } from './gpu-seconds.ts';

const attempt = (trialId: string, sweepId = '1') => ({ sweepId, trialId, attempt: 1 });

function meter(gpus: Record<string, number>) {
  const spent: Record<string, number> = {};
  const meter = new GpuSeconds({
    gpusPerSlot: (agentId) => gpus[agentId] ?? 0,
    add(sweep, seconds) {
      spent[sweep] = (spent[sweep] ?? 0) + seconds;
    },
  });
  return { meter, spent };
}

test('the GPU seconds of a running attempt increase until the attempt ends', () => {
  const { meter: gpus, spent } = meter({ a: 1 });
  gpus.granted(attempt('t'), 'a', 0, 1_000);
  gpus.settleAll(4_000);
  expect(spent).toEqual({ 1: 3 });
  gpus.ended(attempt('t'), 6_000);
  gpus.settleAll(60_000);
  expect(spent).toEqual({ 1: 5 });
});

test('the attempts of a pack share the GPU seconds of their slot', () => {
  const { meter: gpus, spent } = meter({ a: 1 });
  gpus.granted(attempt('t'), 'a', 0, 0);
  gpus.granted(attempt('u', '2'), 'a', 0, 0);
  gpus.ended(attempt('u', '2'), 10_000);
  gpus.ended(attempt('t'), 15_000);
  expect(spent).toEqual({ 1: 10, 2: 5 });
});

test('slots that share a GPU split its GPU seconds, and slots without a GPU have none', () => {
  const { meter: gpus, spent } = meter({ a: 0.5, b: 0 });
  gpus.granted(attempt('t'), 'a', 0, 0);
  gpus.granted(attempt('u', '2'), 'b', 0, 0);
  gpus.settleAll(10_000);
  expect(spent).toEqual({ 1: 5 });
});
