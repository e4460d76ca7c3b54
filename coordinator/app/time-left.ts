/** Estimates the time left of live sweeps. */
import {
  type EtaTrial,
  etaOf,
  MAX_ESTIMATED_TRIALS,
  type TimeLeft,
  timeLeftAfter,
  usableSlots,
} from '../../lib/domain/eta.ts';
import { trainsPacks } from '../../proto/trainers.ts';
import { takesWork } from '../core/drain.ts';
import { busySlots } from '../core/leases.ts';
import { type Core, isEnded } from '../core/model.ts';
import { createdTrials, trialsToCome } from '../core/trials.ts';

/** An estimate reads all trials of the sweep, so the estimate of a large sweep is reused for a longer time. */
const MAX_AGE_MS_PER_TRIAL = 1;

interface Estimate {
  readonly atMs: number;
  /** The state of the sweep when the estimate was made. */
  readonly state: string;
  readonly timeLeft: TimeLeft | undefined;
}

export class TimeLeftEstimates {
  readonly #core: Core;
  readonly #trialsOf: (sweepId: string) => readonly EtaTrial[];
  readonly #now: () => number;
  readonly #known = new Map<string, Estimate>();

  /** @param trialsOf returns the trials of a sweep from the store, in the order in which they start */
  constructor(core: Core, trialsOf: (sweepId: string) => readonly EtaTrial[], now: () => number) {
    this.#core = core;
    this.#trialsOf = trialsOf;
    this.#now = now;
  }

  /**
   * Returns the time left of a sweep. The time left is undefined if the sweep has ended or is too large, or if nothing
   * was measured yet.
   */
  of(sweepId: string): TimeLeft | undefined {
    const sweep = this.#core.sweeps.get(sweepId);
    if (sweep === undefined || isEnded(sweep.state) || createdTrials(sweep) > MAX_ESTIMATED_TRIALS) {
      this.#known.delete(sweepId);
      return undefined;
    }
    const now = this.#now();
    const known = this.#known.get(sweepId);
    const maxAgeMs = createdTrials(sweep) * MAX_AGE_MS_PER_TRIAL;
    if (known?.state === sweep.state && now - known.atMs < maxAgeMs)
      return known.timeLeft && timeLeftAfter(known.timeLeft, now - known.atMs);
    const slots = usableSlots(slotsOf(this.#core), {
      running: sweep.counts.running,
      concurrency: sweep.policy.concurrency,
      packs: trainsPacks(sweep.policy.trainer),
    });
    const trials = this.#trialsOf(sweepId);
    const timeLeft = etaOf({
      trials,
      toCome: trialsToCome(sweep),
      slots,
      paused: sweep.state !== 'running',
      now,
    }).sweep;
    this.#known.set(sweepId, { atMs: now, state: sweep.state, timeLeft });
    return timeLeft;
  }
}

function slotsOf(core: Core) {
  return Array.from(core.agents.values(), (agent) => ({
    takesWork: takesWork(core, agent),
    slots: agent.slots,
    pack: agent.pack,
    busy: busySlots(core, agent.id),
  }));
}
