/** Keeps the outcomes of trials by config, for searchers that suggest configs and compare them by their replicates. */
import { mean } from 'd3-array';
import type { SuggestionOutcome } from '../search/searcher.ts';

/** The outcome of a suggestion that a rule of the sweep file excludes. */
const EXCLUDED: SuggestionOutcome = { kind: 'ended', values: [undefined] };

export class ConfigOutcomes {
  readonly #replicates: number;
  readonly #configs = new Map<string, Map<string, SuggestionOutcome>>();

  /** @param replicates the number of trials per config */
  constructor(replicates: number) {
    this.#replicates = replicates;
  }

  /** Sets the outcome of a trial. A cancelled trial counts as ended without values. */
  set(configId: string, trialId: string, outcome: SuggestionOutcome): void {
    const trials = this.#configs.get(configId) ?? new Map<string, SuggestionOutcome>();
    this.#configs.set(configId, trials.set(trialId, outcome));
  }

  /**
   * Returns the outcome of a config. The config is running until all of its replicates have ended. Its outcome is then
   * the mean of each objective over the replicates that have a value.
   * @param configId undefined for a suggestion that a rule excludes
   */
  of(configId: string | undefined): SuggestionOutcome {
    if (configId === undefined) return EXCLUDED;
    const trials = [...(this.#configs.get(configId)?.values() ?? [])];
    const results = trials.flatMap((outcome) => (outcome.kind === 'ended' ? [outcome.values] : []));
    if (results.length < this.#replicates) return { kind: 'running' };
    const objectives = Math.max(1, ...results.map((values) => values.length));
    const values = Array.from({ length: objectives }, (_, at) => mean(results, (result) => result[at]));
    return { kind: 'ended', values };
  }

  clear(): void {
    this.#configs.clear();
  }
}
