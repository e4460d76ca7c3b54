/** Short names of the wire's enum values, for people, JSON and the store: `TRIAL_STATE_PENDING` is `pending`. */
import type { WandbMode } from './gen/trawl/v1/attempt_service.ts';
import type {
  AgentState,
  ArtifactKind,
  AttemptOutcome,
  FailureClass,
  Goal,
  SweepState,
  TrialState,
  WarningKind,
} from './gen/trawl/v1/types.ts';

type ShortName<V, P extends string> = V extends `${P}${infer N}` ? Exclude<Lowercase<N>, 'unspecified'> : never;

function naming<V extends string>() {
  return <P extends string>(prefix: P) => ({
    of: (value: V) => value.slice(prefix.length).toLowerCase() as ShortName<V, P>,
    to: (name: ShortName<V, P>) => `${prefix}${name.toUpperCase()}` as V,
  });
}

export const trialState = naming<TrialState>()('TRIAL_STATE_');
export const sweepState = naming<SweepState>()('SWEEP_STATE_');
export const failureClass = naming<FailureClass>()('FAILURE_CLASS_');
export const attemptOutcome = naming<AttemptOutcome>()('ATTEMPT_OUTCOME_');
export const agentState = naming<AgentState>()('AGENT_STATE_');
export const artifactKind = naming<ArtifactKind>()('ARTIFACT_KIND_');
export const warningKind = naming<WarningKind>()('WARNING_KIND_');
export const goal = naming<Goal>()('GOAL_');
export const wandbMode = naming<WandbMode>()('WANDB_MODE_');

export type TrialStateName = ReturnType<typeof trialState.of>;
export type SweepStateName = ReturnType<typeof sweepState.of>;
export type FailureClassName = ReturnType<typeof failureClass.of>;
export type AttemptOutcomeName = ReturnType<typeof attemptOutcome.of>;
export type ArtifactKindName = ReturnType<typeof artifactKind.of>;
export type AgentStateName = ReturnType<typeof agentState.of>;
export type WarningKindName = ReturnType<typeof warningKind.of>;
export type GoalName = ReturnType<typeof goal.of>;

/** Every kind of warning of a sweep. */
export const WARNING_KINDS: readonly WarningKindName[] = [
  'missing_metric',
  'identical_replicates',
  'unreadable_reports',
  'hook_not_loaded',
  'silent',
  'straggler',
  'warm_start',
  'sampler',
  'no_checkpoint',
];

/** Kinds of agent events. These events belong to no sweep. */
const AGENT_EVENT_KINDS = [
  'joined',
  'left',
  'lost',
  'returned',
  'quarantined',
  'released',
  'drained',
  'undrained',
] as const;
export type AgentEventKind = (typeof AGENT_EVENT_KINDS)[number];

/** Every kind of event that the store keeps. */
export const EVENT_KINDS = [
  'submitted',
  ...(['running', 'paused', 'stopping', 'finished', 'stopped', 'killed'] as const).map(
    (state) => `sweep ${state}` as const,
  ),
  ...(['priority', 'warning', 'warning removed', 'quarantine', 'applied', 'dropped', 'restored'] as const),
  ...(['created', 'pending', 'offered', 'succeeded', 'stopped', 'failed', 'cancelled', 'retried'] as const),
  ...(['held', 'promoted'] as const),
  ...(['granted', 'speculated', 'straggler', 'reported', 'rung', 'ended'] as const),
  ...AGENT_EVENT_KINDS,
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
