import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withResolvers } from '../../../lib/net/within.ts';
import { StallWatch } from './stalls.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function watched(reason: () => string | undefined) {
  const problems: (string | undefined)[] = [];
  let examinations = 0;
  const watch = new StallWatch({
    examine: async () => {
      examinations += 1;
      return reason();
    },
    onProblem: (problem) => problems.push(problem),
  });
  return { watch, problems, examinations: () => examinations };
}

test('a request that is answered within a few seconds causes no examination', async () => {
  const { watch, problems, examinations } = watched(() => 'unreachable');
  const { promise, resolve } = withResolvers<number>();
  const answer = watch.during(promise);
  await vi.advanceTimersByTimeAsync(2_000);
  resolve(1);
  expect(await answer).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(examinations()).toBe(0);
  expect(problems).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a problem is reported when it starts, when it changes and when it ends', async () => {
  let reason: string | undefined = 'unreachable';
  const { watch, problems } = watched(() => reason);
  const { promise, reject } = withResolvers<number>();
  const answer = watch.during(promise);
  const later = watch.during(new Promise(() => {}));
  later.catch(() => {});
  await vi.advanceTimersByTimeAsync(6_000);
  expect(problems).toEqual(['unreachable']);
  reason = 'commits wait';
  await vi.advanceTimersByTimeAsync(1_000);
  expect(problems).toEqual(['unreachable', 'commits wait']);
  reason = undefined;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(problems.at(-1)).toBeUndefined();
  reject(new Error('the connection was lost'));
  await expect(answer).rejects.toThrow('the connection was lost');
  watch.close();
});

test('a slow request is not reported as a problem if the examination finds no problem', async () => {
  const { watch, problems, examinations } = watched(() => undefined);
  const { promise, resolve } = withResolvers<void>();
  const answer = watch.during(promise);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(examinations()).toBeGreaterThan(3);
  resolve();
  await answer;
  expect(problems).toEqual([]);
});
