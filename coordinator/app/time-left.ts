/** Estimates the remaining time of live sweeps. */
import { type EtaTrial, etaOf, MAX_ESTIMATED_TRIALS, type TimeLeft, timeLeftAfter } from '../../lib/domain/eta.ts';
import { queuedTrials, trialsPerSlot } from '../../lib/domain/slot-time.ts';
import type { SlotShare } from '../../proto/gen/trawl/v1/types.ts';
import { type Core, isEnded, type Sweep } from '../core/model.ts';
import { createdTrials, uncreatedTrials } from '../core/trials.ts';
import { slotShareOf } from './slot-share.ts';

/**
 * An estimate is reused for this many milliseconds per created trial of the sweep. The estimate of a large sweep is
 * reused for longer, because a new estimate must read thousands of trials.
 */
const MAX_AGE_MS_PER_TRIAL = 1;

interface Estimate {
  readonly atMs: number;
  /** The state of the sweep when the estimate was made. */
  readonly state: string;
  readonly timeLeft: TimeLeft | undefined;
  readonly slotTimeLeft: TimeLeft | undefined;
  readonly share: SlotShare | undefined;
}

export class TimeLeftEstimates {
  readonly #coreNow: () => Core;
  readonly #trialsOf: (sweepId: string) => Promise<readonly EtaTrial[]>;
  readonly #now: () => number;
  readonly #known = new Map<string, Estimate>();

  /** @param trialsOf returns the trials of a sweep from the store, in the order in which they start */
  constructor(core: () => Core, trialsOf: (sweepId: string) => Promise<readonly EtaTrial[]>, now: () => number) {
    this.#coreNow = core;
    this.#trialsOf = trialsOf;
    this.#now = now;
  }

  /**
   * Returns the remaining time of a sweep. Undefined if the sweep has ended or has more than MAX_ESTIMATED_TRIALS
   * trials, or if the time cannot be estimated (see `Eta.sweep`).
   */
  async of(sweepId: string): Promise<TimeLeft | undefined> {
    const known = await this.#estimateOf(sweepId);
    return known?.timeLeft && timeLeftAfter(known.timeLeft, this.#now() - known.atMs);
  }

  /**
   * Returns the slot time that a sweep will use until it ends. Undefined if the remaining time is undefined (see `of`).
   * A pack counts as one slot.
   */
  async slotTimeOf(sweepId: string): Promise<TimeLeft | undefined> {
    return (await this.#estimateOf(sweepId))?.slotTimeLeft;
  }

  /**
   * Returns the slots that a sweep gets from the scheduler. Undefined if the sweep has ended or has more than
   * MAX_ESTIMATED_TRIALS trials, or if the number of slots is unknown.
   */
  async shareOf(sweepId: string): Promise<SlotShare | undefined> {
    const known = await this.#estimateOf(sweepId);
    return known?.share && { ...known.share, waitMs: Math.max(0, known.share.waitMs - (this.#now() - known.atMs)) };
  }

  get #core(): Core {
    return this.#coreNow();
  }

  async #estimateOf(sweepId: string): Promise<Estimate | undefined> {
    const sweep = this.#core.sweeps.get(sweepId);
    if (sweep === undefined || isEnded(sweep.state) || createdTrials(sweep) > MAX_ESTIMATED_TRIALS) {
      this.#known.delete(sweepId);
      return undefined;
    }
    const now = this.#now();
    const known = this.#known.get(sweepId);
    const maxAgeMs = createdTrials(sweep) * MAX_AGE_MS_PER_TRIAL;
    if (known?.state === sweep.state && now - known.atMs < maxAgeMs) return known;
    const trials = await this.#trialsOf(sweepId);
    // The share depends only on the estimates of sweeps with a higher priority, so this recursion ends.
    const expectedMs = new Map<string, number | undefined>();
    for (const { id, priority } of this.#core.sweeps.values()) {
      if (priority > sweep.priority) expectedMs.set(id, (await this.of(id))?.expectedMs);
    }
    const share = slotShareOf(this.#core, sweep, (id) => expectedMs.get(id));
    const eta = etaOf({
      trials,
      toCome: toComeOf(sweep),
      slots: share?.slots ?? 0,
      waitMs: share?.waitMs ?? 0,
      queued: queuedTrials(sweep.counts.running, sweep.slotTime),
      paused: sweep.state !== 'running',
      now,
    });
    const slotTimeLeft = eta.work && timesOf(eta.work, 1 / trialsPerSlot(sweep.slotTime));
    const estimate = { atMs: now, state: sweep.state, timeLeft: eta.sweep, slotTimeLeft, share };
    this.#known.set(sweepId, estimate);
    return estimate;
  }
}

function timesOf({ lowMs, expectedMs, highMs }: TimeLeft, factor: number): TimeLeft {
  return { lowMs: lowMs * factor, expectedMs: expectedMs * factor, highMs: highMs * factor };
}

/**
 * Returns the number of trials that are not created yet. Infinite if the sweep will have too many trials for an
 * estimate.
 */
function toComeOf(sweep: Sweep): number {
  const toCome = uncreatedTrials(sweep);
  return createdTrials(sweep) + toCome > MAX_ESTIMATED_TRIALS ? Number.POSITIVE_INFINITY : toCome;
}
