/** Adds replicates to the configs of a grid, until the hypotheses or the best config are decided. */
import { type MissingReplicate, missingReplicates } from '../analysis/adaptive-replicates.ts';
import type { JudgedTrial } from '../analysis/judgement.ts';
import type { PlannedTrial, SourceState, TrialSource } from '../search/trial-source.ts';
import type { AdaptiveReplicates, SweepSpec } from './spec.ts';
import { idsOf } from './trial-id.ts';

/** Returns whether the results can still cause further replicates. Once the sweep has run_cap trials, they cannot. */
export function canAddReplicates(
  { adaptiveReplicates, runCap }: SweepSpec,
  { created, outside = 0 }: SourceState,
): boolean {
  return adaptiveReplicates !== undefined && (runCap === undefined || created - outside < runCap);
}

/**
 * Returns the source of a sweep with adaptive replicates. After the first replicates of all configs, the source waits
 * until all trials have ended, and then yields the replicates that the next look needs. The replicates depend only on
 * the results in the store, so a restart does not change them.
 * @param first yields the minimum number of replicates of each config
 * @param endedTrials returns the sweep's trials, or undefined while fewer than `created` are stored or some have not
 * ended
 */
export function adaptiveSource(
  spec: SweepSpec,
  replicates: AdaptiveReplicates,
  first: TrialSource,
  endedTrials: (created: number) => Promise<readonly JudgedTrial[] | undefined>,
): TrialSource {
  let missing: readonly Omit<PlannedTrial, 'index'>[] = [];
  /** The trials of the sweep when it had `created` trials; undefined if some had not ended. */
  let judged: { readonly created: number; readonly trials: readonly JudgedTrial[] | undefined } | undefined;
  return {
    usesResults: first.usesResults,
    async prepare(state) {
      await first.prepare?.(state);
      if (missing.length > 0 || !canAddReplicates(spec, state)) return;
      judged = { created: state.created, trials: await endedTrials(state.created) };
    },
    next(state, isKnown) {
      const step = first.next(state, isKnown);
      if (step.kind !== 'done') return step;
      if (!canAddReplicates(spec, state)) return step;
      if (missing.length === 0) {
        if (judged?.created !== state.created || judged.trials === undefined) return { kind: 'wait' };
        const { trials } = judged;
        // A point of an earlier version already has a trial, which is not created again.
        missing = missingReplicates(spec, replicates, trials)
          .map((each) => plannedTrial(spec, each))
          .filter(({ trialId }) => !isKnown(trialId));
      }
      const [next, ...rest] = missing;
      if (next === undefined) return { kind: 'done' };
      missing = rest;
      return {
        kind: 'trial',
        trial: { ...next, index: state.created },
        state: { ...state, created: state.created + 1 },
      };
    },
  };
}

function plannedTrial({ trainer }: SweepSpec, { replicateOf, seed }: MissingReplicate): Omit<PlannedTrial, 'index'> {
  const { parameters } = replicateOf;
  const { configId, trialId } = idsOf(trainer, parameters);
  return { parameters, seed, trialId: trialId(seed), configId };
}
