/** Computes the outcome of each config from the outcomes of its trials, for searchers that suggest configs. */
import { mean } from 'd3-array';
import { countedResults, hasResult } from '../../lib/domain/trial-result.ts';
import type { TrialStateName } from '../../proto/names.ts';
import type { SuggestionOutcome } from '../search/searcher.ts';

/** The outcome of a suggestion that a rule of the sweep file excludes. */
const EXCLUDED: SuggestionOutcome = { kind: 'ended', values: [undefined] };

/** The outcome of one trial. A cancelled or failed trial has ended without values. */
export type TrialOutcome =
  | { readonly kind: 'running' }
  | {
      readonly kind: 'ended';
      readonly state: TrialStateName;
      readonly stopReason: string;
      readonly epoch: number;
      /** One value per objective. A value is undefined or missing if the trial has no result for the objective. */
      readonly values: readonly (number | undefined)[];
    };

export class ConfigOutcomes {
  readonly #replicates: number;
  readonly #configs = new Map<string, Map<string, TrialOutcome>>();

  /** @param replicates the number of trials per config */
  constructor(replicates: number) {
    this.#replicates = replicates;
  }

  set(configId: string, trialId: string, outcome: TrialOutcome): void {
    const trials = this.#configs.get(configId) ?? new Map<string, TrialOutcome>();
    this.#configs.set(configId, trials.set(trialId, outcome));
  }

  /**
   * Returns the outcome of a config. The config is running until all of its replicates have ended. Its outcome is then
   * the mean of each objective over the replicates that count (lib/domain/trial-result.ts) and have a value.
   * @param configId undefined for a suggestion that a rule excludes
   */
  of(configId: string | undefined): SuggestionOutcome {
    if (configId === undefined) return EXCLUDED;
    const trials = [...(this.#configs.get(configId)?.values() ?? [])];
    const ended = trials.filter((outcome) => outcome.kind === 'ended');
    if (ended.length < this.#replicates) return { kind: 'running' };
    const counted = countedResults(ended.filter(({ state }) => hasResult(state)));
    const objectives = Math.max(1, ...ended.map(({ values }) => values.length));
    const values = Array.from({ length: objectives }, (_, at) => mean(counted, (result) => result.values[at]));
    return { kind: 'ended', values };
  }

  clear(): void {
    this.#configs.clear();
  }
}
