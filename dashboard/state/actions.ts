/** What is done to sweeps, trials and agents: at once, or after a question. */
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_PRIORITY } from '../../proto/limits.ts';
import { type FailureClassName, failureClass, trialState } from '../../proto/names.ts';
import { type Action, type RetrySelection, type SweepActionName, type Ui, withStatus } from './ui.ts';

/** What a key press can see. */
export interface ActionContext {
  readonly readonly: boolean;
  /** Rows of the list on the screen; 0 where it is none. */
  readonly length: number;
  readonly idAt: (at: number) => string | undefined;
  readonly indexOf: (id: string) => number;
  /** Lines of the body: a page. */
  readonly page: number;
  /** How far a view of text can be scrolled. */
  readonly maxOffset: number;
  readonly sweep:
    | {
        readonly id: string;
        readonly name: string;
        readonly paused: boolean;
        readonly running: number;
        readonly ended: boolean;
      }
    | undefined;
  /** The config under the cursor, on the leaderboard. */
  readonly config: { readonly id: string; readonly replicates: number } | undefined;
  /** The agent under the cursor, on the list of agents. */
  readonly agent: { readonly id: string; readonly drained: boolean } | undefined;
  /** The trial that a line under the cursor is about. */
  readonly trialId: string | undefined;
  /** The trials that are marked, where marks are seen; else those under the cursor: of a config all its replicates. */
  readonly selectedTrials: () => readonly Trial[];
  readonly sortColumns: readonly string[];
  readonly sortedBy: string;
  readonly metricNames: readonly string[];
  readonly metric: string;
  readonly parameters: readonly string[];
  readonly pair: readonly [string, string] | undefined;
  /** Looks at reconstructions that there are of what is shown. */
  readonly imageEpochs: number;
  readonly trials: () => Iterable<Trial>;
}

export type Effect =
  | { readonly kind: 'leave' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'act'; readonly act: Action }
  | { readonly kind: 'watch'; readonly sweep: string };

export interface KeyResult {
  readonly ui: Ui;
  readonly effect?: Effect | undefined;
}

export function controlSweep(ui: Ui, { sweep }: ActionContext, what: SweepActionName): KeyResult {
  if (sweep === undefined) return { ui };
  if (sweep.ended) return rejected(ui, `sweep ${sweep.id} has ended: there is nothing to ${what}`);
  return sendAction(ui, { what, sweepId: sweep.id });
}

export const sendAction = (ui: Ui, act: Action): KeyResult => ({
  ui: withStatus(ui, `${act.what}: asking the coordinator...`),
  effect: { kind: 'act', act },
});

const rejected = (ui: Ui, why: string): KeyResult => ({ ui: withStatus(ui, why, true) });

const question = (ui: Ui, question: string, act: Action): KeyResult => ({
  ui: { ...ui, prompt: { kind: 'confirm', question, act } },
});

const QUESTIONS = {
  stop: 'its running trials finish and the waiting ones are cancelled',
  kill: 'its running trials end now and the waiting ones are cancelled',
} as const;

export function confirmControl(ui: Ui, around: ActionContext, what: 'stop' | 'kill'): KeyResult {
  const { sweep } = around;
  if (sweep === undefined || sweep.ended) return controlSweep(ui, around, what);
  const text = `${what} sweep ${sweep.id} (${sweep.name})? [y/N] ${sweep.running} run: ${QUESTIONS[what]}`;
  return question(ui, text, { what, sweepId: sweep.id });
}

/** Taking work again is no harm, and is not asked about. */
export function toggleDrain(ui: Ui, { agent }: ActionContext): KeyResult {
  if (agent === undefined) return { ui };
  if (agent.drained) return sendAction(ui, { what: 'undrain', agentId: agent.id });
  const text = `drain agent ${agent.id}? [y/N] It takes nothing new; what still runs after ten minutes is handed back`;
  return question(ui, text, { what: 'drain', agentId: agent.id });
}

/** What is marked, or else what the cursor is on; of several those that can be. */
export function retrySelected(ui: Ui, around: ActionContext): KeyResult {
  const meant = around.selectedTrials();
  // Of a single one the coordinator says why not.
  if (meant.length === 1) return askRetry(ui, around, { trials: meant.map(({ id }) => id) }, 1);
  const trials = meant.filter(({ state }) => state === 'TRIAL_STATE_FAILED' || state === 'TRIAL_STATE_CANCELLED');
  if (trials.length === 0) return rejected(ui, 'retry: none of these trials failed or was cancelled');
  return askRetry(ui, around, { trials: trials.map(({ id }) => id) }, trials.length);
}

const CLASSES: readonly FailureClassName[] = ['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight'];
const GROUPS: readonly string[] = ['failed', ...CLASSES, 'cancelled'];

/** @param words which: `failed`, classes of failure, `cancelled`; none: as the key */
export function retryByState(ui: Ui, around: ActionContext, words: readonly string[]): KeyResult {
  if (words.length === 0) return retrySelected(ui, around);
  const wrong = words.find((word) => !GROUPS.includes(word));
  if (wrong !== undefined) return rejected(ui, `retry what is ${wrong}? It may be ${GROUPS.join(', ')}`);
  const failures = words.includes('failed') ? ('all' as const) : CLASSES.filter((name) => words.includes(name));
  const which = { failures, cancelled: words.includes('cancelled') } as const;
  const count = [...around.trials()].filter((trial) => isOf(trial, which)).length;
  if (count === 0) return rejected(ui, `retry: no trial of the sweep is ${words.join(' or ')}`);
  return askRetry(ui, around, which, count);
}

function isOf(
  { state, failure }: Trial,
  { failures, cancelled }: Exclude<RetrySelection, { trials: readonly string[] }>,
) {
  const name = trialState.of(state);
  if (name !== 'failed') return name === 'cancelled' && cancelled;
  return failures === 'all' || (failure !== undefined && failures.includes(failureClass.of(failure.class)));
}

function askRetry(ui: Ui, { sweep }: ActionContext, which: RetrySelection, count: number): KeyResult {
  if (sweep === undefined) return { ui };
  const act: Action = { what: 'retry', sweepId: sweep.id, which };
  if (count === 1) return sendAction(ui, act);
  return question(ui, `retry ${count} trials? [y/N] They wait again, each with its whole budget of failures`, act);
}

/** @param text what was typed after `priority` */
export function prioritize(ui: Ui, { sweep }: ActionContext, text: string): KeyResult {
  const priority = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(priority) > MAX_PRIORITY) {
    return rejected(ui, `a priority is a whole number from ${-MAX_PRIORITY} to ${MAX_PRIORITY}`);
  }
  if (sweep === undefined) return { ui };
  if (sweep.ended) return rejected(ui, `sweep ${sweep.id} has ended: nothing of it comes before or after others`);
  return sendAction(ui, { what: 'priority', sweepId: sweep.id, priority });
}
