/**
 * Replaces the global timers with virtual timers, so that the product's code runs unchanged. Timers set by a simulated
 * process are events of that process. Timers set outside the simulation stay real.
 */
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Clock, Timer } from './clock.ts';

const EPOCH = Date.UTC(2026, 0, 1);

type Work = (...args: unknown[]) => void;
type NodeTimer = Timer & { unref(): unknown };

/** Installs virtual timers. Returns a function that restores the real timers. */
export function installVirtualTime(clock: Clock): () => void {
  const real = {
    setTimeout,
    clearTimeout,
    setInterval,
    clearInterval,
    setImmediate,
    clearImmediate,
    dateNow: Date.now,
    performanceNow: performance.now,
    sleep: timersPromises.setTimeout,
  };
  const virtual = new WeakSet<object>();
  const after = (ms: number, work: () => void): NodeTimer => {
    const timer: NodeTimer = Object.assign(clock.after(ms, clock.running, work), { unref: () => timer });
    virtual.add(timer);
    return timer;
  };
  const cancel = (timer: unknown): boolean => {
    if (typeof timer !== 'object' || timer === null || !virtual.has(timer)) return false;
    (timer as Timer).work = undefined;
    return true;
  };
  const every = (ms: number, work: () => void): NodeTimer => {
    const handle: NodeTimer = { at: 0, order: 0, owner: clock.running, work, unref: () => handle };
    virtual.add(handle);
    const again = () =>
      clock.after(Math.max(1, ms), handle.owner, () => {
        if (handle.work === undefined) return;
        again();
        handle.work();
      });
    again();
    return handle;
  };
  const inside = () => clock.running !== undefined;

  const replace = (name: string, value: unknown) => Reflect.set(globalThis, name, value);
  replace('setTimeout', (work: Work, ms = 0, ...args: unknown[]) =>
    inside() ? after(Math.max(1, ms), () => work(...args)) : real.setTimeout(work, ms, ...args),
  );
  replace('setImmediate', (work: Work, ...args: unknown[]) =>
    inside() ? after(0, () => work(...args)) : real.setImmediate(work, ...args),
  );
  replace('setInterval', (work: Work, ms = 1, ...args: unknown[]) =>
    inside() ? every(ms, () => work(...args)) : real.setInterval(work, ms, ...args),
  );
  replace('clearTimeout', (timer: NodeJS.Timeout) => cancel(timer) || real.clearTimeout(timer));
  replace('clearImmediate', (turn: NodeJS.Immediate) => cancel(turn) || real.clearImmediate(turn));
  replace('clearInterval', (timer: NodeJS.Timeout) => cancel(timer) || real.clearInterval(timer));
  Date.now = () => (inside() ? EPOCH + clock.now : real.dateNow());
  performance.now = () => (inside() ? clock.now : real.performanceNow.call(performance));
  timersPromises.setTimeout = ((ms?: number, value?: unknown, options?: { signal?: AbortSignal }) =>
    inside() ? sleep(ms ?? 1, value, options?.signal) : real.sleep(ms, value, options)) as typeof real.sleep;
  syncBuiltinESMExports();

  function sleep(ms: number, value: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        cancel(timer);
        reject(signal?.reason);
      };
      const timer = after(Math.max(1, ms), () => {
        signal?.removeEventListener('abort', stop);
        resolve(value);
      });
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  return () => {
    const names = [
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'setImmediate',
      'clearImmediate',
    ] as const;
    for (const name of names) replace(name, real[name]);
    Date.now = real.dateNow;
    performance.now = real.performanceNow;
    timersPromises.setTimeout = real.sleep;
    syncBuiltinESMExports();
  };
}
