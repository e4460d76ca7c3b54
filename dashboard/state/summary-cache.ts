/** Keeps the summary of a sweep, because summarizing a large sweep at every key press would take too long. */
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { type DashboardState, EMPTY_STATE } from './reducer.ts';
import { type Summary, summaryOf } from './summary.ts';

/** A sweep with at most this number of trials is summarized again after every update. */
const SMALL_SWEEP = 2_000;

/**
 * The maximum share of the time that is spent on summaries of a large sweep. A key that is pressed while a summary is
 * computed gets a late response. The goal is that no more than 5% of key presses get a late response, and this share of
 * the time is well below that limit.
 */
const SUMMARY_SHARE = 0.02;

const REFRESH_INTERVAL_MS = 1_000;

interface CachedSummary {
  readonly state: DashboardState;
  /** Whether every row of the sweep had arrived before the computation. */
  readonly complete: boolean;
  readonly atMs: number;
  /** The duration of the computation, in milliseconds. */
  readonly tookMs: number;
  readonly summary: Summary;
}

interface SummaryFacts {
  /** The newest list of sweeps. */
  readonly sweeps: () => readonly Sweep[];
  /** Whether every row of the sweep has arrived. */
  readonly isComplete: () => boolean;
}

export class SummaryCache {
  readonly #facts: SummaryFacts;
  #last: CachedSummary = {
    state: EMPTY_STATE,
    complete: false,
    atMs: 0,
    tookMs: 0,
    summary: summaryOf(EMPTY_STATE, 0),
  };

  constructor(facts: SummaryFacts) {
    this.#facts = facts;
  }

  /**
   * Returns the summary. For a large sweep, the summary can be from an earlier tick, so that a key does not wait until
   * all trials have been read.
   */
  of(state: DashboardState, now: number): Summary {
    const { state: summarized, atMs, summary } = this.#last;
    const fresh = summarized === state && now === atMs;
    const large = state.trials.size > SMALL_SWEEP && state.sweep?.id === summarized.sweep?.id;
    return fresh || large ? summary : this.#summarize(state, now);
  }

  /**
   * Computes the summary again if it is old, or if it was computed before the last row of the sweep arrived.
   */
  refresh(state: DashboardState, now: number): void {
    const { atMs, complete, tookMs } = this.#last;
    const isOld = now - atMs >= Math.max(REFRESH_INTERVAL_MS, tookMs / SUMMARY_SHARE);
    if (isOld || (this.#facts.isComplete() && !complete)) this.#summarize(state, now);
  }

  #summarize(state: DashboardState, atMs: number): Summary {
    const begun = performance.now();
    const listed = this.#facts.sweeps().find(({ id }) => id === state.sweep?.id);
    const summary = summaryOf(state, atMs, listed);
    const tookMs = performance.now() - begun;
    this.#last = { state, complete: this.#facts.isComplete(), atMs, tookMs, summary };
    return summary;
  }
}
