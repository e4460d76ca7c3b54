/** What carries messages from one process to another, and what may become of them on the way. */
import type { Random } from '../support/random.ts';
import type { Clock } from './clock.ts';
import type { SimulatedProcess } from './process.ts';

/** Chances are of each message. */
export interface Weather {
  /** The longest time on the way, usually and for the stragglers. */
  readonly usualMs: number;
  readonly slowMs: number;
  readonly slow: number;
  readonly lost: number;
  readonly doubled: number;
}

export const CALM: Weather = { usualMs: 5, slowMs: 5, slow: 0, lost: 0, doubled: 0 };
/** Before TCP sends again what did not arrive. */
const RESEND_MS = 200;
/** After so long without a sign of life each side closes a connection: gRPC's keepalive as both sides set it. */
export const KEEPALIVE_MS = 15_000;

export class Network {
  readonly clock: Clock;
  readonly random: Random;
  weather: Weather = CALM;
  /** By `from>to`: the number of the cut. */
  readonly #cuts = new Map<string, number>();
  #cutsMade = 0;
  readonly #onLongCut: ((a: string, b: string) => void)[] = [];

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  delay(): number {
    const { slow, slowMs, usualMs } = this.weather;
    return this.random.between(0, this.random.next() < slow ? slowMs : usualMs);
  }

  /** One message by itself: it may be lost, come twice, or overtake others. */
  post(from: SimulatedProcess, to: SimulatedProcess, work: () => void): void {
    if (!mayLeave(from)) return;
    const { lost, doubled } = this.weather;
    if (this.isCut(from.name, to.name) || this.random.next() < lost) return;
    const copies = this.random.next() < doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.clock.after(this.delay(), to, () => {
        if (!this.isCut(from.name, to.name)) work();
      });
    }
  }

  /** One way of a connection. */
  lane(from: SimulatedProcess, to: SimulatedProcess): Lane {
    return new Lane(this, from, to);
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  /** Nothing passes until `mend`. @param both whether the other way is cut too */
  cut(a: string, b: string, both: boolean): void {
    const cut = ++this.#cutsMade;
    this.#cuts.set(`${a}>${b}`, cut);
    if (both) this.#cuts.set(`${b}>${a}`, cut);
    this.clock.after(KEEPALIVE_MS, undefined, () => {
      if (this.#cuts.get(`${a}>${b}`) !== cut) return;
      for (const listener of this.#onLongCut) listener(a, b);
    });
  }

  mend(a: string, b: string): void {
    this.#cuts.delete(`${a}>${b}`);
    this.#cuts.delete(`${b}>${a}`);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  onLongCut(listener: (a: string, b: string) => void): void {
    this.#onLongCut.push(listener);
  }
}

/** In order, each message once, until it is closed: what was on its way then is lost. */
export class Lane {
  readonly #network: Network;
  readonly #from: SimulatedProcess;
  readonly #to: SimulatedProcess;
  #queue: (() => void)[] = [];
  #moving = false;
  #closed = false;

  constructor(network: Network, from: SimulatedProcess, to: SimulatedProcess) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
  }

  send(work: () => void): void {
    if (mayLeave(this.#from)) this.last(work);
  }

  /** What the operating system says for a process that is dead: behind all that was sent. */
  last(work: () => void): void {
    if (this.#closed) return;
    this.#queue.push(work);
    if (!this.#moving) this.#move(this.#network.delay());
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  #move(delayMs: number): void {
    this.#moving = true;
    this.#network.clock.after(delayMs, this.#to, () => {
      if (this.#network.isCut(this.#from.name, this.#to.name)) return this.#move(RESEND_MS);
      this.#moving = false;
      const work = this.#queue.shift();
      if (this.#queue.length > 0) this.#move(this.#network.delay() / 4);
      work?.();
    });
  }
}

/** The dead say nothing; whom the fuse burns down for says this, and nothing more. */
function mayLeave(from: SimulatedProcess): boolean {
  if (!from.alive) return false;
  const { fuse } = from;
  if (fuse?.at === 'sending') {
    fuse.left -= 1;
    if (fuse.left < 0) from.kill();
  }
  return from.alive;
}
