/** Keeps the GPUs' figures up to date beside whoever asks for them: nvidia-smi takes up to a second to answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type GpuFigures, gpuFigures } from './gpu-figures.ts';

const LOOK_MS = 10_000;

export class GpuWatch {
  readonly #gone = new AbortController();
  #figures: readonly GpuFigures[] = [];

  constructor() {
    void this.#look();
  }

  /** As they last were; none where there was no answer. */
  get figures(): readonly GpuFigures[] {
    return this.#figures;
  }

  stop(): void {
    this.#gone.abort();
  }

  async #look(): Promise<void> {
    const { signal } = this.#gone;
    while (!signal.aborted) {
      this.#figures = await gpuFigures();
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
