/** Virtual time: events in the order of their times, and of their making where those are equal. */
import TinyQueue from 'tinyqueue';
import type { SimulatedProcess } from './process.ts';

export interface Timer {
  at: number;
  readonly order: number;
  readonly owner: SimulatedProcess | undefined;
  /** Undefined: it was cancelled. */
  work: (() => void) | undefined;
}

// Taken before anything replaces it: the turns of the real event loop.
const { setImmediate } = globalThis;
/** Every promise that can go on has gone on when this resolves. */
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

  /** Events that were made so far. */
  get made(): number {
    return this.#order;
  }

  /** Whose event this is, promises that it lets go on included. */
  get running(): SimulatedProcess | undefined {
    return this.#running;
  }

  /** @param owner what dies with it, and waits while it is frozen; undefined: the world's own */
  after(ms: number, owner: SimulatedProcess | undefined, work: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, Math.ceil(ms)), order: this.#order++, owner, work };
    this.#queue.push(timer);
    return timer;
  }

  /**
   * Event after event until `over`, which is asked after each.
   * @param onError what an event threw
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
