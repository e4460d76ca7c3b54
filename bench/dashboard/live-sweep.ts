/** Generates an endless sweep as the messages of a Watch stream. */
import { toWire } from '../../lib/domain/parameters.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';

const PER_MESSAGE = 1_000;
/** The number of different values that a metric has in one epoch. Every VALUES-th trial has the best value. */
const VALUES = 1_000;
/**
 * The time since the trials started. After the first minute, the running time of a trial is shown in whole seconds, so
 * it does not change in every frame.
 */
const AGE_MS = 10 * 60_000;
/**
 * The number of trials that report most often. These trials lead the leaderboard, so every delta changes a visible row.
 */
const LEADERS = 10;
/** The distance between the indexes of two consecutive reporting trials. It is prime, so that every trial reports. */
const STRIDE = 7_919;

export class LiveSweep {
  readonly row: Sweep;
  readonly #startedAtMs = Date.now() - AGE_MS;
  readonly #trials: Trial[];
  #seq = 1;
  #next = 0;
  #deltas = 0;

  constructor(trials: number) {
    this.row = Sweep.fromPartial({
      id: '1',
      name: 'large',
      state: 'SWEEP_STATE_RUNNING',
      trainer: 'autoencoder',
      metric: { name: 'test_loss', goal: 'GOAL_MINIMIZE' },
      counts: { running: trials },
      configs: trials,
      replicates: 1,
      createdAtMs: this.#startedAtMs,
      axes: ['x', 'y', 'z'],
    });
    this.#trials = Array.from({ length: trials }, (_, index) => {
      const parameters = toWire({
        dataset: 'mnist',
        depth: 3,
        x: index % 100,
        y: Math.floor(index / 100),
        z: index % 7,
      });
      const id = (index * 2_654_435_761).toString(16).padStart(16, '0').slice(-16);
      const running = {
        state: 'TRIAL_STATE_RUNNING',
        attempts: 1,
        agentId: `agent-${index % 20}`,
        startedAtMs: this.#startedAtMs,
      } as const;
      return Trial.fromPartial({ sweepId: '1', id, configId: `c${id}`, index, parameters, ...running });
    });
  }

  snapshot(): WatchResponse[] {
    const parts = Array.from({ length: Math.ceil(this.#trials.length / PER_MESSAGE) }, (_, i) =>
      this.#trials.slice(i * PER_MESSAGE, (i + 1) * PER_MESSAGE),
    );
    return parts.map((trials, i): WatchResponse => {
      const more = i + 1 < parts.length;
      const common = { sweep: this.row, trials, agents: [], eventSeq: this.#seq, more };
      return i === 0
        ? { update: { $case: 'snapshot', snapshot: common } }
        : { update: { $case: 'delta', delta: { ...common, events: [] } } };
    });
  }

  /**
   * Returns a delta in which `reports` trials report their next epoch. At least one of these trials is among the
   * leaders.
   */
  delta(reports: number): WatchResponse {
    const trials: Trial[] = [];
    const events = [];
    for (let i = 0; i < reports; i++) {
      if (i > 0) this.#next = (this.#next + STRIDE) % this.#trials.length;
      const at = i > 0 ? this.#next : (this.#deltas++ % LEADERS) * VALUES;
      const before = this.#trials[at];
      if (before === undefined) continue;
      const epoch = before.epoch + 1;
      const test_loss = 0.1 + ((at * 37) % VALUES) / 5_000 + 0.4 / epoch;
      const metrics = {
        test_loss,
        train_loss: test_loss - 0.01,
        psnr: 20 - 20 * test_loss,
        psnr_peak1: 14 - 20 * test_loss,
      };
      const trial = { ...before, epoch, metrics };
      this.#trials[at] = trial;
      trials.push(trial);
      const seq = ++this.#seq;
      events.push({
        seq,
        atMs: Date.now(),
        sweepId: '1',
        trialId: trial.id,
        attempt: 1,
        kind: 'reported',
        detail: `epoch ${epoch}`,
        by: '',
        agentId: '',
      });
    }
    const delta = { sweep: this.row, trials, events, agents: [], eventSeq: this.#seq, more: false };
    return { update: { $case: 'delta', delta } };
  }
}
