/** One-line results of the verbs that change a sweep or an agent. */
import { trialSelector } from '../../lib/domain/selectors.ts';
import { shownState } from '../../lib/domain/trial-state.ts';
import { toComeText } from '../../lib/text/trials-to-come.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Agent, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { agentState, sweepState } from '../../proto/names.ts';
import type { OutputFormat } from '../options/common.ts';
import { agentJson, sweepJson, trialJson } from './json.ts';
import { print, printJson } from './print.ts';

/** Counts the trials that have not ended, such as `1 running, 47 pending`. */
export function remainingText(sweep: Sweep): string {
  const { counts } = sweep;
  const pending = (counts?.pending ?? 0) + (counts?.offered ?? 0);
  const held = counts?.held ? `${counts.held} held` : '';
  return [`${counts?.running ?? 0} running`, `${pending} pending`, held, toComeText(sweep)].filter(Boolean).join(', ');
}

/** Prints a sweep after it was changed. */
export function printSweep(sweep: Sweep, output: OutputFormat): Promise<void> {
  if (output === 'json') return printJson(sweepJson(sweep));
  const { id, name, state } = sweep;
  return print(`${visibleText(`sweep ${id} (${name}) ${sweepState.of(state)}: ${remainingText(sweep)}`)}\n`);
}

/** Prints a trial after it was killed. */
export function printTrial(trial: Trial, output: OutputFormat): Promise<void> {
  if (output === 'json') return printJson(trialJson(trial));
  const { sweepId, id, state } = trial;
  return print(`${visibleText(`trial ${trialSelector(sweepId, id)} ${shownState(state)}`)}\n`);
}

/** Prints an agent after it was drained, undrained or released. */
export function printAgent(agent: Agent, output: OutputFormat): Promise<void> {
  if (output === 'json') return printJson(agentJson(agent));
  const { id, state, busy, slots } = agent;
  return print(`${visibleText(`agent ${id} ${agentState.of(state)}: ${busy} of ${slots} slots busy`)}\n`);
}
