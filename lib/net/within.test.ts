import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { settlesWithin, untilDrained, within, withResolvers } from './within.ts';

const late = new Error('late');

test('within settles like its promise, or throws the given error if the promise does not settle within the limit', async () => {
  expect(await within(1_000, late, Promise.resolve(7))).toBe(7);
  await expect(within(1_000, late, Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  await expect(within(1, late, sleep(1_000, undefined, { ref: false }))).rejects.toThrow('late');
});

test('settlesWithin returns whether the promise settled in time', async () => {
  expect(await settlesWithin(1_000, Promise.resolve())).toBe(true);
  expect(await settlesWithin(1, sleep(1_000, undefined, { ref: false }))).toBe(false);
});

test('withResolvers returns a promise and the functions that settle this promise', async () => {
  const { promise, resolve } = withResolvers<number>();
  resolve(7);
  expect(await promise).toBe(7);
});

test('untilDrained waits for a drain event, a close event or an abort, and then leaves no listeners', async () => {
  const stream = new EventEmitter();
  const controller = new AbortController();
  for (const end of [() => stream.emit('drain'), () => stream.emit('close'), () => controller.abort()]) {
    const drained = untilDrained(stream, controller.signal);
    end();
    await drained;
    expect(stream.listenerCount('drain') + stream.listenerCount('close')).toBe(0);
  }
  await untilDrained(stream, controller.signal);
});
