/**
 * Random histories of a sweep with replicates, and a simple ranking of its configs that is computed from all trials.
 */
import fc from 'fast-check';
import type { Change } from '../../../coordinator/core/step.ts';
import type { TrialState } from '../../../coordinator/core/trial-model.ts';
import type { PlannedTrial } from '../../../coordinator/search/trial-source.ts';
import type { NewSweep } from '../../../coordinator/store/submit.ts';
import { configsOf, rankConfigs } from '../../../lib/domain/configs.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import type { GoalName } from '../../../proto/names.ts';
import { PLAIN_POLICY } from './sample-core.ts';
import { NEW_SWEEP } from './store-writer.ts';

const METRIC = 'loss "x"';
const MAX_TRIALS = 16;

/** An operation on one trial. An operation that the state of the trial does not permit has no effect. */
interface TrialOperation {
  readonly kind: 'run' | 'release';
  readonly trial: number;
  readonly ends: 'succeeded' | 'asha' | 'patience' | 'failed' | 'held';
  /** Whether the result of the trial comes from a second attempt. */
  readonly isSpeculated: boolean;
  readonly epochs: number;
  /** The value of the metric; undefined if the trial reports only another metric. */
  readonly value: number | undefined;
}

/** A new version of the sweep file. */
interface NewVersion {
  readonly kind: 'apply';
  readonly replicates: number;
  /** The indices of the trials whose points are not in this version. */
  readonly dropped: readonly number[];
}

export interface ConfigHistory {
  readonly goal: GoalName;
  readonly replicates: number;
  /** Whether the sweep file names the metric. If it does not, the reports determine the metric. */
  readonly isNamed: boolean;
  /** The operations in order, grouped by transaction. */
  readonly operations: readonly (readonly (TrialOperation | NewVersion)[])[];
}

const trialIndex = fc.nat(MAX_TRIALS - 1);

const valueArbitrary = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 2, arbitrary: fc.constantFrom(0.1, 1 / 3, undefined) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 1e308, -1e308, 5e-324, -1e-320) },
);

const trialOperation = fc.record<TrialOperation>({
  kind: fc.constantFrom('run' as const, 'run' as const, 'run' as const, 'release' as const),
  trial: trialIndex,
  ends: fc.constantFrom('succeeded', 'succeeded', 'asha', 'asha', 'patience', 'failed', 'held'),
  isSpeculated: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  epochs: fc.integer({ min: 1, max: 3 }),
  value: valueArbitrary,
});

const newVersion = fc.record<NewVersion>({
  kind: fc.constant('apply' as const),
  replicates: fc.constantFrom(1, 2, 3),
  dropped: fc.uniqueArray(trialIndex, { maxLength: 5 }),
});

export const configHistory: fc.Arbitrary<ConfigHistory> = fc.record({
  goal: fc.constantFrom('minimize' as const, 'maximize' as const),
  replicates: fc.constantFrom(2, 3, 4, 4, 16),
  isNamed: fc.boolean(),
  operations: fc.array(
    fc.array(fc.oneof({ weight: 12, arbitrary: trialOperation }, { weight: 1, arbitrary: newVersion }), {
      minLength: 1,
      maxLength: 12,
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

/**
 * Returns the sweep of a history, with its trials. The ids of its configs are in the reverse order of their first
 * trials.
 */
export function sweepOf({ goal, replicates, isNamed }: ConfigHistory): [NewSweep, PlannedTrial[]] {
  const metric = isNamed ? METRIC : '';
  const policy = { ...PLAIN_POLICY, speculate: true, ranking: { metric, goal, at: 'last' as const } };
  const configs = Math.ceil(MAX_TRIALS / replicates);
  const trials = Array.from({ length: MAX_TRIALS }, (_, index) => {
    const configId = `c${configs - (index % configs)}`;
    return { trialId: `t${index}`, configId, index, seed: Math.floor(index / configs), parameters: {} };
  });
  return [{ ...NEW_SWEEP, metric, goal, replicates, policy }, trials];
}

/** Returns the changes of each transaction of a history. */
export function changesOf(sweepId: string, history: ConfigHistory): Change[][] {
  const trials = Array.from({ length: MAX_TRIALS }, (_, index) => new SampleTrial(sweepId, `t${index}`));
  let version = 1;
  const apply = ({ replicates, dropped }: NewVersion): Change => {
    version += 1;
    const has = (trial: SampleTrial) => !dropped.includes(trials.indexOf(trial));
    const changed = trials.filter((trial) => has(trial) === trial.isDropped);
    for (const trial of changed) trial.isDropped = !trial.isDropped;
    const [sweep] = sweepOf(history);
    return {
      kind: 'applied',
      sweepId,
      version: { ...sweep, number: version, axes: [], replicates, detail: '' },
      planned: MAX_TRIALS,
      state: { search: 0, created: MAX_TRIALS, points: MAX_TRIALS, excluded: [], duplicates: 0, repeated: 0 },
      done: true,
      dropped: changed.filter(({ isDropped }) => isDropped).map(({ id }) => id),
      restored: changed.filter(({ isDropped }) => !isDropped).map(({ id }) => id),
    };
  };
  return history.operations.map((group) =>
    group.flatMap((operation) => {
      if (operation.kind === 'apply') return apply(operation);
      return trials[operation.trial]?.changes(operation) ?? [];
    }),
  );
}

const FAILURE = { class: 'crash', message: '' } as const;

class SampleTrial {
  readonly #sweepId: string;
  readonly id: string;
  isDropped = false;
  #state: TrialState = 'pending';
  #attempts = 0;
  #requests = 0;

  constructor(sweepId: string, id: string) {
    this.#sweepId = sweepId;
    this.id = id;
  }

  changes(operation: TrialOperation): Change[] {
    if (operation.kind === 'run') return this.#state === 'pending' ? this.#run(operation) : [];
    if (this.#state === 'failed') return [this.#retry()];
    if (this.#state !== 'held') return [];
    return operation.ends === 'asha' ? [this.#move('stopped', 'asha: worse')] : [this.#move('pending', '')];
  }

  #run({ ends, isSpeculated, epochs, value }: TrialOperation): Change[] {
    const first = this.#grant(false);
    const changes = [first.granted, ...this.#reports(first.attempt, epochs, value)];
    if (!isSpeculated) return [...changes, ...this.#ended(first.attempt, ends)];
    const second = this.#grant(true);
    const { sweepId, trialId, attempt } = second.granted.key;
    return [
      ...changes,
      second.granted,
      ...this.#reports(attempt, 1, value === undefined ? 1 : value + 1),
      { ...this.#end(first.attempt), end: { outcome: 'superseded' } } as Change,
      { kind: 'promoted', key: { sweepId, trialId, attempt } },
      ...this.#ended(attempt, ends),
    ];
  }

  #grant(speculative: boolean): { attempt: number; granted: Change & { readonly kind: 'granted' } } {
    this.#attempts += 1;
    const key = { sweepId: this.#sweepId, trialId: this.id, attempt: this.#attempts };
    const place = { agentId: 'a', incarnation: 'i', slot: 0, pack: `${this.id}/${this.#attempts}`, backend: 'wasm' };
    return { attempt: key.attempt, granted: { kind: 'granted', key, ...place, gpus: 0, resumedFrom: 0, speculative } };
  }

  #reports(attempt: number, epochs: number, value: number | undefined): Change[] {
    const key = { sweepId: this.#sweepId, trialId: this.id, attempt };
    const metrics: Record<string, number> = value === undefined ? { epoch: 1 } : { [METRIC]: value };
    return Array.from({ length: epochs }, (_, at) => {
      return { kind: 'report', key, seq: at + 1, at: 1, epoch: at + 1, metrics };
    });
  }

  #end(attempt: number): Omit<Change & { readonly kind: 'ended' }, 'end'> {
    const key = { sweepId: this.#sweepId, trialId: this.id, attempt };
    return { kind: 'ended', key, early: false, free: false, leasedMs: 1, used: undefined };
  }

  #ended(attempt: number, ends: TrialOperation['ends']): Change[] {
    const ended = this.#end(attempt);
    const reason = { rule: ends === 'patience' ? 'patience' : 'asha', reason: 'worse' } as const;
    switch (ends) {
      case 'succeeded':
        return [{ ...ended, end: { outcome: 'succeeded' } }, this.#move('succeeded', '')];
      case 'failed':
        return [{ ...ended, end: { outcome: 'failed', failure: FAILURE } }, this.#move('failed', '')];
      case 'held':
        return [{ ...ended, end: { outcome: 'held', ...reason } }, this.#move('held', 'asha: waits')];
      default:
        return [{ ...ended, end: { outcome: 'stopped', ...reason } }, this.#move('stopped', `${ends}: worse`)];
    }
  }

  #retry(): Change {
    this.#state = 'pending';
    this.#requests += 1;
    const request = { requestId: `${this.#sweepId}/${this.id}/${this.#requests}`, attempts: this.#attempts };
    return { kind: 'retried', sweepId: this.#sweepId, trialId: this.id, ...request, failure: 'crash', resumesFrom: 0 };
  }

  #move(state: Exclude<TrialState, 'running'>, detail: string): Change {
    this.#state = state;
    const failure = state === 'failed' ? FAILURE : undefined;
    return { kind: 'trial', sweepId: this.#sweepId, trialId: this.id, state, detail, failure };
  }
}

const isExtreme = (value: number | undefined) =>
  value !== undefined && Number.isFinite(value) && Math.abs(value) > 1e290;

/** Returns the ids of the configs that have a trial with an extreme value. The mean of such values can be infinite. */
export function extremeConfigs(trials: readonly Trial[]): Set<string> {
  return new Set(trials.filter(({ metrics }) => isExtreme(metrics[METRIC])).map(({ configId }) => configId));
}

/**
 * Ranks the configs that have a result, using all trials of a sweep.
 * @returns the ids of the configs, best first, each with its value
 */
export function plainRanking(trials: readonly Trial[], goal: GoalName): ReadonlyMap<string, number> {
  const ranked = rankConfigs(configsOf(trials), METRIC, goal).filter(({ rank }) => rank > 0);
  return new Map(ranked.map(({ id, metrics }) => [id, metrics[METRIC]?.mean ?? Number.NaN]));
}
