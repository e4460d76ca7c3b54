/** What is done to sweeps, trials and agents: at once, or after a question. */
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass, trialState } from '../../proto/names.ts';
import { MAX_PRIORITY } from '../../proto/priorities.ts';
import type { Pressed, Surroundings } from './press.ts';
import { type Act, type SweepAct, type Ui, type Which, withStatus } from './ui.ts';

export function act(ui: Ui, { sweep }: Surroundings, what: SweepAct): Pressed {
  if (sweep === undefined) return { ui };
  if (sweep.over) return refused(ui, `sweep ${sweep.id} has ended: there is nothing to ${what}`);
  return doing(ui, { what, sweepId: sweep.id });
}

export const doing = (ui: Ui, act: Act): Pressed => ({
  ui: withStatus(ui, `${act.what}: asking the coordinator...`),
  effect: { kind: 'act', act },
});

const refused = (ui: Ui, why: string): Pressed => ({ ui: withStatus(ui, why, true) });

const question = (ui: Ui, question: string, act: Act): Pressed => ({
  ui: { ...ui, prompt: { kind: 'confirm', question, act } },
});

const QUESTIONS = {
  stop: 'its running trials finish and the waiting ones are cancelled',
  kill: 'its running trials end now and the waiting ones are cancelled',
} as const;

export function ask(ui: Ui, around: Surroundings, what: 'stop' | 'kill'): Pressed {
  const { sweep } = around;
  if (sweep === undefined || sweep.over) return act(ui, around, what);
  const text = `${what} sweep ${sweep.id} (${sweep.name})? [y/N] ${sweep.running} run: ${QUESTIONS[what]}`;
  return question(ui, text, { what, sweepId: sweep.id });
}

/** Taking work again is no harm, and is not asked about. */
export function drain(ui: Ui, { agent }: Surroundings): Pressed {
  if (agent === undefined) return { ui };
  if (agent.drained) return doing(ui, { what: 'undrain', agentId: agent.id });
  const text = `drain agent ${agent.id}? [y/N] It takes nothing new; what still runs after ten minutes is handed back`;
  return question(ui, text, { what: 'drain', agentId: agent.id });
}

/** What is marked, or else what the cursor is on; of several those that can be. */
export function retry(ui: Ui, around: Surroundings): Pressed {
  const meant = around.meant();
  // Of a single one the coordinator says why not.
  if (meant.length === 1) return askRetry(ui, around, { trials: meant.map(({ id }) => id) }, 1);
  const trials = meant.filter(({ state }) => state === 'TRIAL_STATE_FAILED' || state === 'TRIAL_STATE_CANCELLED');
  if (trials.length === 0) return refused(ui, 'retry: none of these trials failed or was cancelled');
  return askRetry(ui, around, { trials: trials.map(({ id }) => id) }, trials.length);
}

const CLASSES: readonly FailureClassName[] = ['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight'];
const GROUPS: readonly string[] = ['failed', ...CLASSES, 'cancelled'];

/** @param words which: `failed`, classes of failure, `cancelled`; none: as the key */
export function retryWhich(ui: Ui, around: Surroundings, words: readonly string[]): Pressed {
  if (words.length === 0) return retry(ui, around);
  const wrong = words.find((word) => !GROUPS.includes(word));
  if (wrong !== undefined) return refused(ui, `retry what is ${wrong}? It may be ${GROUPS.join(', ')}`);
  const failures = words.includes('failed') ? ('all' as const) : CLASSES.filter((name) => words.includes(name));
  const which = { failures, cancelled: words.includes('cancelled') } as const;
  const count = [...around.trials()].filter((trial) => isOf(trial, which)).length;
  if (count === 0) return refused(ui, `retry: no trial of the sweep is ${words.join(' or ')}`);
  return askRetry(ui, around, which, count);
}

function isOf({ state, failure }: Trial, { failures, cancelled }: Exclude<Which, { trials: readonly string[] }>) {
  const name = trialState.of(state);
  if (name !== 'failed') return name === 'cancelled' && cancelled;
  return failures === 'all' || (failure !== undefined && failures.includes(failureClass.of(failure.class)));
}

function askRetry(ui: Ui, { sweep }: Surroundings, which: Which, count: number): Pressed {
  if (sweep === undefined) return { ui };
  const act: Act = { what: 'retry', sweepId: sweep.id, which };
  if (count === 1) return doing(ui, act);
  return question(ui, `retry ${count} trials? [y/N] They wait again, each with its whole budget of failures`, act);
}

/** @param text what was typed after `priority` */
export function prioritize(ui: Ui, { sweep }: Surroundings, text: string): Pressed {
  const priority = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(priority) > MAX_PRIORITY) {
    return refused(ui, `a priority is a whole number from ${-MAX_PRIORITY} to ${MAX_PRIORITY}`);
  }
  if (sweep === undefined) return { ui };
  if (sweep.over) return refused(ui, `sweep ${sweep.id} has ended: nothing of it comes before or after others`);
  return doing(ui, { what: 'priority', sweepId: sweep.id, priority });
}
