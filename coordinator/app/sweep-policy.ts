/** Derives the policy of a sweep from its file. */
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import type { SweepPolicy } from '../core/policy.ts';
import type { SweepSpec } from '../grid/spec.ts';

/**
 * @param code the code archive that the agents run; undefined if the sweep has no code
 * @param isBound whether the planned number of trials is only an upper bound
 */
export function policyOf(spec: SweepSpec, code: CodeArchive | undefined, isBound: boolean): SweepPolicy {
  return {
    trainer: spec.trainer,
    resources: spec.resources,
    concurrency: spec.concurrency,
    retry: spec.retry,
    timeoutMs: spec.timeoutMs,
    maxFailed: spec.maxFailed,
    speculate: spec.speculate,
    earlyTerminate: spec.earlyTerminate,
    checkpointEvery: spec.checkpointEvery,
    reconstructEvery: spec.reconstructEvery,
    command: spec.command,
    weight: spec.weight,
    ranking: { metric: spec.metric.name, goal: spec.metric.goal, at: spec.metric.at },
    objectives: spec.objectives.length === 0 ? undefined : spec.objectives,
    // The children of a population are added to the planned trials when they are created.
    plannedAtMost: (isBound && spec.search?.method !== 'pbt') || undefined,
    target: spec.metric.target,
    program: spec.program && { ...spec.program, code },
  };
}
