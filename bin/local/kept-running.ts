/** A process that is started again whenever it ends, until it is told to stop or cannot be had. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../../proto/errors.ts';

export interface Started {
  /** Settles with the exit code when the process is gone; 128 + number for a signal. */
  readonly exited: Promise<{ readonly code: number }>;
  stop(): Promise<void>;
}

/** A process that dies younger than this was not up at all. */
const YOUNG_MS = 5_000;
/** So many such deaths in a row, and it is given up. */
const MAX_YOUNG_DEATHS = 5;
const RESTART_DELAY_MS = 300;
/** A process that ends so has said why, and would say it again. */
const FINAL_CODES: readonly number[] = [EXIT.badInput, EXIT.refused];

export class KeptRunning {
  readonly #name: string;
  readonly #start: () => Promise<Started>;
  readonly #onRestart: (name: string, code: number) => void;
  readonly #onGivenUp: (name: string, code: number) => void;
  #current: Started | undefined;
  #stopping = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    name: string,
    start: () => Promise<Started>,
    onRestart: (name: string, code: number) => void,
    onGivenUp: (name: string, code: number) => void,
  ) {
    this.#name = name;
    this.#start = start;
    this.#onRestart = onRestart;
    this.#onGivenUp = onGivenUp;
  }

  /** Resolves when the process has been started once. */
  async begin(): Promise<void> {
    const first = await this.#start();
    this.#loop = this.#keep(first);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#current?.stop();
    await this.#loop;
  }

  async #keep(first: Started): Promise<void> {
    let youngDeaths = 0;
    let process: Started | undefined = first;
    for (;;) {
      const since = performance.now();
      let code = 1;
      if (process !== undefined) {
        this.#current = process;
        code = (await process.exited).code;
      }
      if (this.#stopping) return;
      youngDeaths = performance.now() - since < YOUNG_MS ? youngDeaths + 1 : 0;
      if (youngDeaths >= MAX_YOUNG_DEATHS || FINAL_CODES.includes(code)) return this.#onGivenUp(this.#name, code);
      this.#onRestart(this.#name, code);
      await sleep(RESTART_DELAY_MS);
      if (this.#stopping) return;
      process = await this.#start().catch(() => undefined);
    }
  }
}
