/** Reads the summaries of the rungs of a sweep without delaying other calls. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ListRungsResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type RungEntryRow, rungSummaries } from '../early-stop/rung-summaries.ts';
import { earlyTerminateText } from '../early-stop/settings-text.ts';
import type { SweepQueries } from '../store/sweep-queries.ts';

/** The maximum number of rung entries that are read in one turn of the event loop. */
const PAGE = 2_000;

/**
 * The maximum share of the time that is spent on reading the summary of a sweep. A summary is reused for as long as
 * this limit requires.
 */
const READ_SHARE = 0.05;

interface Known {
  readonly response: ListRungsResponse;
  readonly freshUntilMs: number;
}

export class RungReader {
  readonly #sweeps: SweepQueries;
  readonly #page: number;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #reading = new Map<string, Promise<ListRungsResponse>>();

  /** @param now a function that returns the time in milliseconds, from any origin */
  constructor({ sweeps }: { readonly sweeps: SweepQueries }, { page = PAGE, now = () => performance.now() } = {}) {
    this.#sweeps = sweeps;
    this.#page = page;
    this.#now = now;
  }

  /**
   * Returns a summary of the rungs of a sweep, and the sweep's early-stopping rule as text. Concurrent calls share one
   * read.
   */
  async of(sweepId: string): Promise<ListRungsResponse> {
    const known = this.#known.get(sweepId);
    if (known !== undefined && this.#now() < known.freshUntilMs) return known.response;
    const reading = this.#reading.get(sweepId) ?? this.#read(sweepId).finally(() => this.#reading.delete(sweepId));
    this.#reading.set(sweepId, reading);
    return reading;
  }

  async #read(sweepId: string): Promise<ListRungsResponse> {
    const { earlyTerminate, ranking } = await this.#sweeps.policy(sweepId);
    if (earlyTerminate === undefined) return { rule: '', rungs: [] };
    const begunMs = this.#now();
    const entries = await this.#entries(sweepId);
    const rungs = rungSummaries(entries, earlyTerminate, ranking.goal);
    const response = { rule: earlyTerminateText(earlyTerminate), rungs };
    const endedMs = this.#now();
    this.#known.set(sweepId, { response, freshUntilMs: endedMs + (endedMs - begunMs) / READ_SHARE });
    return response;
  }

  /** Returns the entries of all trials. The entries of a trial are together, in ascending order of rung. */
  async #entries(sweepId: string): Promise<RungEntryRow[]> {
    const entries: RungEntryRow[] = [];
    let after = { trialId: '', rung: 0 };
    for (;;) {
      const page = await this.#sweeps.rungEntries(sweepId, after, this.#page);
      for (const { trialId, rung, value, state } of page) {
        const before = entries.at(-1);
        if (before !== undefined && trialId === after.trialId)
          entries[entries.length - 1] = { ...before, isLast: false };
        entries.push({ rung, value, state, isLast: true });
        after = { trialId, rung };
      }
      if (page.length < this.#page) return entries;
      await nextTurn();
    }
  }
}
