/** Waits for promises with a time limit, creates promises that other code settles, and waits for streams to drain. */
import type { EventEmitter } from 'node:events';

/**
 * Returns the result of a promise.
 * @throws `late` if the promise does not settle within the limit
 */
export function within<T>(limitMs: number, late: Error, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(reject, limitMs, late);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Returns true once the promise resolves, or false after the limit.
 * @throws if the promise rejects within the limit
 */
export function settlesWithin(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, limitMs, false);
    promise.then(() => resolve(true), reject).finally(() => clearTimeout(timer));
  });
}

/** Replaces `Promise.withResolvers`, which Node 20 lacks. */
export function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve: PromiseWithResolvers<T>['resolve'] = () => {};
  let reject: PromiseWithResolvers<T>['reject'] = () => {};
  const promise = new Promise<T>((onResolved, onRejected) => {
    resolve = onResolved;
    reject = onRejected;
  });
  return { promise, resolve, reject };
}

/**
 * Waits until a stream can take more data or is closed, or until the signal is aborted. The caller must check which of
 * these three events ended the wait.
 * @param ended a signal that ends the wait, for streams that can end without a `close` event
 */
export function untilDrained(stream: Pick<EventEmitter, 'on' | 'off'>, ended?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ended?.aborted) return resolve();
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      ended?.removeEventListener('abort', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    ended?.addEventListener('abort', done);
  });
}
