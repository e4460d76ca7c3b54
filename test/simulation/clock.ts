/** Virtual time. Events run in order of time. Events with the same time run in order of creation. */
import TinyQueue from 'tinyqueue';
import type { SimulatedProcess } from './process.ts';

export interface Timer {
  at: number;
  readonly order: number;
  readonly owner: SimulatedProcess | undefined;
  /** The work of the timer; undefined if the timer was cancelled. */
  work: (() => void) | undefined;
}

// The real setImmediate, saved before virtual timers replace the real timers.
const { setImmediate } = globalThis;
const promisesSettled = () => new Promise<void>((resolve) => setImmediate(resolve));

export class Clock {
  readonly #queue = new TinyQueue<Timer>([], (a, b) => a.at - b.at || a.order - b.order);
  #now = 0;
  #order = 0;
  #running: SimulatedProcess | undefined;

  /** Whole milliseconds since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** The number of events created so far. */
  get made(): number {
    return this.#order;
  }

  /** The process of the current event and of the promise callbacks that the event triggers. */
  get running(): SimulatedProcess | undefined {
    return this.#running;
  }

  /**
   * Schedules an event.
   * @param owner the process of the event; the event is dropped when the process dies, and delayed while the process is
   *   frozen
   */
  after(ms: number, owner: SimulatedProcess | undefined, work: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, Math.ceil(ms)), order: this.#order++, owner, work };
    this.#queue.push(timer);
    return timer;
  }

  /**
   * Runs events until `over` returns true; `over` is called before each event.
   * @param onError called with the error that an event threw
   */
  async run(over: () => boolean, onError: (error: unknown, thrower: SimulatedProcess | undefined) => void) {
    while (!over()) {
      const timer = this.#queue.pop();
      if (timer === undefined) return;
      const { owner, work } = timer;
      if (work === undefined || owner?.alive === false) continue;
      if (owner !== undefined && owner.frozenUntil > timer.at) {
        timer.at = owner.frozenUntil;
        this.#queue.push(timer);
        continue;
      }
      this.#now = timer.at;
      this.#running = owner;
      try {
        work();
      } catch (error) {
        onError(error, owner);
      }
      await promisesSettled();
      this.#running = undefined;
    }
  }
}
