/** Actions on sweeps, trials and agents. An action is sent immediately or after a confirmation. */
import { trialEnded } from '../../lib/domain/trial-state.ts';
import { countText } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { truncate } from '../../lib/text/width.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_PRIORITY } from '../../proto/limits.ts';
import { type FailureClassName, failureClass, trialState } from '../../proto/names.ts';
import type { RetrySelection, SweepActionName } from '../source.ts';
import type { LogPage } from './log-view.ts';
import type { ReplayClock } from './replay-clock.ts';
import { type Action, type Ui, withStatus } from './ui.ts';

/** The part of the dashboard that key handling depends on. */
export interface ActionContext {
  readonly readonly: boolean;
  /** The number of rows of the list on the screen. Zero in a view without a list. */
  readonly rowCount: number;
  readonly idAt: (at: number) => string | undefined;
  readonly indexOf: (id: string) => number;
  /** The number of rows per page. */
  readonly pageLines: number;
  /** The open log and the size of its part of the screen. */
  readonly log: LogPage;
  /** The maximum number of lines by which a text can be scrolled. */
  readonly maxOffset: number;
  /** The sweep under the cursor in the list of sweeps, otherwise the watched sweep. */
  readonly sweep:
    | {
        readonly id: string;
        readonly name: string;
        readonly paused: boolean;
        readonly running: number;
        readonly ended: boolean;
      }
    | undefined;
  /** The config under the cursor of the leaderboard. */
  readonly config: { readonly id: string; readonly replicates: number } | undefined;
  /** The agent under the cursor, in the agents view. */
  readonly agent: { readonly id: string; readonly drained: boolean } | undefined;
  /** The id that `y` copies, and what the id belongs to, such as `best trial of config 1a2b3c4d`. */
  readonly copied: { readonly id: string; readonly of: string } | undefined;
  /**
   * Returns the index of the next leaderboard row with a failed trial, in the given direction. The search wraps at the
   * ends. Returns -1 if no row has a failed trial.
   */
  readonly nextFailure: (by: 1 | -1) => number;
  /**
   * The trial after or before the open trial: in the same group of failures if the open trial was opened from the
   * errors view, otherwise on the leaderboard.
   */
  readonly neighbor: (by: 1 | -1) => string | undefined;
  /** The trial under the cursor, or the trial that is open. */
  readonly trialId: string | undefined;
  /** The trial that is open, or the trials of the row under the cursor. Empty in a view without trials. */
  readonly trialsUnderCursor: () => readonly Trial[];
  /**
   * The marked trials, if the view shows marks and any trial is marked. Otherwise, the trial under the cursor, or all
   * replicates of the config under the cursor.
   */
  readonly selectedTrials: () => readonly Trial[];
  readonly sortColumns: readonly string[];
  readonly sortColumn: string;
  /** The kinds of the events that have arrived. */
  readonly eventKinds: readonly string[];
  readonly metricNames: readonly string[];
  readonly metric: string;
  readonly parameters: readonly string[];
  readonly pair: readonly [string, string] | undefined;
  /** Number of epochs with reconstructions. */
  readonly imageEpochs: number;
  readonly trials: () => Iterable<Trial>;
  /** The clock of the replay, and the real time in Unix milliseconds. Undefined if no replay is shown. */
  readonly replay: { readonly clock: ReplayClock; readonly realMs: number } | undefined;
}

/** An effect of a key press outside the dashboard's own state, such as copying text or starting an action. */
export type KeyEffect =
  | { readonly kind: 'leave' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'copy'; readonly text: string }
  | { readonly kind: 'action'; readonly action: Action }
  | { readonly kind: 'watch'; readonly sweep: string }
  | { readonly kind: 'replay'; readonly clock: ReplayClock };

export interface KeyResult {
  readonly ui: Ui;
  readonly effect?: KeyEffect | undefined;
}

/** Changes the clock of a replay. Without a replay, does nothing. */
export function changeReplay(
  ui: Ui,
  { replay }: ActionContext,
  change: (clock: ReplayClock, realMs: number) => ReplayClock,
): KeyResult {
  if (replay === undefined) return { ui };
  return { ui, effect: { kind: 'replay', clock: change(replay.clock, replay.realMs) } };
}

export function requestControl(ui: Ui, { sweep }: ActionContext, name: SweepActionName): KeyResult {
  if (sweep === undefined) return { ui };
  if (sweep.ended) return rejected(ui, `cannot ${name} sweep ${sweep.id}: it has ended`);
  return sendAction(ui, { name, sweepId: sweep.id });
}

export const sendAction = (ui: Ui, action: Action): KeyResult => ({
  ui: withStatus(ui, `${action.name}: waiting for the coordinator...`),
  effect: { kind: 'action', action },
});

const rejected = (ui: Ui, reason: string): KeyResult => ({ ui: withStatus(ui, reason, true) });

const confirm = (ui: Ui, question: string, action: Action): KeyResult => ({
  ui: { ...ui, prompt: { kind: 'confirm', question, action } },
});

const MAX_NAME_WIDTH = 24;

/** Shortens the name of a sweep, so that the rest of a question or of a result fits the status line. */
export const statusName = (name: string): string => truncate(name, MAX_NAME_WIDTH, 'middle');

/** Stops or kills the sweep after a confirmation. */
export function confirmControl(ui: Ui, context: ActionContext, name: 'stop' | 'kill'): KeyResult {
  const { sweep } = context;
  if (sweep === undefined || sweep.ended) return requestControl(ui, context, name);
  const subject = sweep.running === 1 ? '1 trial is' : `${sweep.running === 0 ? 'no' : sweep.running} trials are`;
  const fate = sweep.running === 0 ? '' : name === 'kill' ? ' and will be stopped now' : '; started trials will finish';
  return confirm(ui, `${name} sweep ${sweep.id} (${statusName(sweep.name)})? ${subject} running${fate}`, {
    name,
    sweepId: sweep.id,
  });
}

/**
 * Asks for confirmation, and then cancels the unfinished trials under the cursor. If there is no trial under the
 * cursor, kills the sweep instead.
 */
export function confirmKill(ui: Ui, context: ActionContext): KeyResult {
  const { sweep, trialsUnderCursor } = context;
  const trials = trialsUnderCursor();
  const [first] = trials;
  if (sweep === undefined || first === undefined) return confirmControl(ui, context, 'kill');
  const open = trials.filter((trial) => !trialEnded(trial));
  const name =
    trials.length === 1 ? `trial ${shortId(first.id)}` : `${trials.length} trials of config ${shortId(first.configId)}`;
  if (open.length === 0)
    return rejected(ui, `cannot kill ${name}: ${trials.length === 1 ? 'it has' : 'they have'} ended`);
  const running = open.filter(({ state }) => state === 'TRIAL_STATE_RUNNING').length;
  const subject =
    trials.length === 1 ? name : `${countText(open.length, 'unfinished trial')} of config ${shortId(first.configId)}`;
  const fate =
    running === 0
      ? ''
      : trials.length === 1
        ? ' It is running and will be stopped now'
        : ` ${running} ${running === 1 ? 'is running and stops' : 'are running and stop'} now`;
  const trialIds = open.map(({ id }) => id);
  return confirm(ui, `kill ${subject}?${fate}`, { name: 'kill trials', sweepId: sweep.id, trialIds });
}

/**
 * Drains the agent under the cursor after a confirmation. If the agent is already draining or drained, ends the drain
 * without a confirmation.
 */
export function toggleDrain(ui: Ui, { agent }: ActionContext): KeyResult {
  if (agent === undefined) return { ui };
  if (agent.drained) return sendAction(ui, { name: 'undrain', agentId: agent.id });
  const question = `drain ${agent.id}? Trials that still run after 10 min are moved`;
  return confirm(ui, question, { name: 'drain', agentId: agent.id });
}

/** Retries the selected trial. If several trials are selected, retries those that failed or were cancelled. */
export function retrySelected(ui: Ui, context: ActionContext): KeyResult {
  const selected = context.selectedTrials();
  // The coordinator reports why a single trial cannot be retried.
  if (selected.length === 1) return confirmRetry(ui, context, { trials: selected.map(({ id }) => id) }, 1);
  const trials = selected.filter(({ state }) => state === 'TRIAL_STATE_FAILED' || state === 'TRIAL_STATE_CANCELLED');
  if (trials.length === 0) return rejected(ui, 'retry: none of the selected trials failed or was cancelled');
  return confirmRetry(ui, context, { trials: trials.map(({ id }) => id) }, trials.length);
}

const CLASSES: readonly FailureClassName[] = ['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight'];
const GROUPS: readonly string[] = ['failed', ...CLASSES, 'cancelled'];

/** @param groups any of `failed`, the failure classes and `cancelled`; an empty list means the selected trials */
export function retryGroups(ui: Ui, context: ActionContext, groups: readonly string[]): KeyResult {
  if (groups.length === 0) return retrySelected(ui, context);
  const unknown = groups.find((group) => !GROUPS.includes(group));
  if (unknown !== undefined) {
    return rejected(ui, `retry: unknown group ${JSON.stringify(unknown)}; use ${GROUPS.join(', ')}`);
  }
  const failures = groups.includes('failed') ? ('all' as const) : CLASSES.filter((name) => groups.includes(name));
  const selection = { failures, cancelled: groups.includes('cancelled') } as const;
  const count = [...context.trials()].filter((trial) => isSelected(trial, selection)).length;
  if (count === 0) return rejected(ui, `retry: ${noTrialMessage(selection)}`);
  return confirmRetry(ui, context, selection, count);
}

type GroupSelection = Exclude<RetrySelection, { trials: readonly string[] }>;

function isSelected({ state, failure }: Trial, { failures, cancelled }: GroupSelection): boolean {
  const name = trialState.of(state);
  if (name !== 'failed') return name === 'cancelled' && cancelled;
  return failures === 'all' || (failure !== undefined && failures.includes(failureClass.of(failure.class)));
}

function noTrialMessage({ failures, cancelled }: GroupSelection): string {
  const failed = failures === 'all' ? ['failed'] : failures.length > 0 ? [`failed with ${failures.join(' or ')}`] : [];
  return `no trial ${[...failed, ...(cancelled ? ['was cancelled'] : [])].join(' or ')}`;
}

function confirmRetry(ui: Ui, { sweep }: ActionContext, selection: RetrySelection, count: number): KeyResult {
  if (sweep === undefined) return { ui };
  const action: Action = { name: 'retry', sweepId: sweep.id, selection };
  if (count === 1) return sendAction(ui, action);
  return confirm(ui, `retry ${count} trials with a fresh retry budget?`, action);
}

/** @param text the argument of the command `priority` */
export function prioritize(ui: Ui, { sweep }: ActionContext, text: string): KeyResult {
  const priority = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(priority) > MAX_PRIORITY) {
    return rejected(ui, `priority must be a whole number from ${-MAX_PRIORITY} to ${MAX_PRIORITY}`);
  }
  if (sweep === undefined) return { ui };
  if (sweep.ended) return rejected(ui, 'priority has no effect on an ended sweep');
  return sendAction(ui, { name: 'priority', sweepId: sweep.id, priority });
}
