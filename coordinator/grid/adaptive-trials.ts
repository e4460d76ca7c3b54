/** Adds replicates to the configs of a grid, until the hypotheses or the best config are decided. */
import { type MissingReplicate, missingReplicates } from '../analysis/adaptive-replicates.ts';
import type { JudgedTrial } from '../analysis/judgment.ts';
import type { PlannedTrial, SourceState, TrialSource } from '../search/trial-source.ts';
import type { AdaptiveReplicates, SweepSpec } from './spec.ts';
import { idsOf } from './trial-id.ts';

/**
 * Returns whether replicates may still be added because of the results. False if the sweep has no adaptive replicates,
 * or already has run_cap trials.
 */
export function canAddReplicates(
  { adaptiveReplicates, runCap }: SweepSpec,
  { created, outside = 0 }: SourceState,
): boolean {
  return adaptiveReplicates !== undefined && (runCap === undefined || created - outside < runCap);
}

/**
 * Returns the source of a sweep with adaptive replicates. After the first replicates of all configs, the source waits
 * until all trials have ended. It then judges the results, and yields the replicates that are still needed. This
 * repeats until no replicates are needed. The replicates depend only on the results in the store, so a restart does not
 * change them.
 * @param first the source of the first trials, which yields the minimum number of replicates of each config
 * @param endedTrials returns the sweep's trials; undefined while fewer than `created` trials are stored, or while one
 * of them has not ended
 * @param findStored returns those of the given ids whose trials are in the store
 */
export function adaptiveSource(
  spec: SweepSpec,
  replicates: AdaptiveReplicates,
  first: TrialSource,
  endedTrials: (created: number) => Promise<readonly JudgedTrial[] | undefined>,
  findStored: (trialIds: readonly string[]) => Promise<ReadonlySet<string>>,
): TrialSource {
  /**
   * The replicates that the last judgment of the results requested and that have not been yielded yet, and the number
   * of trials created so far (`created`). Undefined until the results are judged, and again after the last requested
   * replicate has been yielded.
   */
  let judged: { created: number; missing: readonly Omit<PlannedTrial, 'index'>[] } | undefined;
  /** Whether `first` has yielded its last trial. Never reset, because a new version of the sweep opens a new source. */
  let isFirstDone = false;
  return {
    usesResults: first.usesResults,
    get problem() {
      return first.problem;
    },
    get isUnprepared() {
      return first.isUnprepared ?? false;
    },
    async prepare(state) {
      if (!isFirstDone) await first.prepare(state);
      if (judged?.created === state.created && judged.missing.length > 0) return;
      judged = undefined;
      if (!canAddReplicates(spec, state)) return;
      const trials = await endedTrials(state.created);
      if (trials === undefined) return;
      const missing = missingReplicates(spec, replicates, trials).map((each) => plannedTrial(spec, each));
      // Replicates from an earlier version of the sweep are not created again.
      const stored = await findStored(missing.map(({ trialId }) => trialId));
      judged = { created: state.created, missing: missing.filter(({ trialId }) => !stored.has(trialId)) };
    },
    next(state, isKnown) {
      if (!isFirstDone) {
        const step = first.next(state, isKnown);
        if (step.kind !== 'done') return step;
        isFirstDone = true;
      }
      if (!canAddReplicates(spec, state)) return { kind: 'done' };
      if (judged?.created !== state.created) return { kind: 'wait' };
      const [next, ...rest] = judged.missing;
      if (next === undefined) return { kind: 'done' };
      // The results are judged again only after these replicates have ended.
      judged = rest.length === 0 ? undefined : { created: state.created + 1, missing: rest };
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
