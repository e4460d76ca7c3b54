import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { newSlots } from './slots.ts';
import type { WorkerEvents } from './worker-process.ts';
import { type StartWorker, Workers } from './workers.ts';

test('the start of a worker is repeated while the worker program is missing', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const started: WorkerEvents[] = [];
  let isMissing = false;
  let failures = 0;
  const startWorker: StartWorker = (_slot, events) => {
    if (isMissing) {
      failures += 1;
      throw new Error('the worker program is missing');
    }
    started.push(events);
    return { pid: started.length, run: () => {}, stop: () => {}, kill: () => {} };
  };
  const onEffects = () => {};
  const events = { onReady: () => {}, onUnfit: () => {}, onDatasetUse: () => {}, onEffects };
  const workers = new Workers(newSlots(1), startWorker, events, pino({ level: 'silent' }));
  workers.startAll();
  isMissing = true;
  workers.restart(0);
  vi.advanceTimersByTime(10_000);
  expect(failures).toBeGreaterThan(2);
  expect(started).toHaveLength(1);
  isMissing = false;
  vi.advanceTimersByTime(2_000);
  expect(started).toHaveLength(2);
  workers.close();
});
