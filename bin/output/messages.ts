import { formatSpan } from '../../lib/text/numbers.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { AgentVerdict, ExplainTrialResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { agentState, trialState } from '../../proto/names.ts';
import { agentJson } from './json.ts';
import { print, printJson } from './print.ts';

/** Prints what an agent is after it was drained, or let take work again. */
export function printAgent(agent: Agent | undefined, output: 'table' | 'json'): Promise<void> {
  if (agent === undefined) throw new Error('the coordinator answered without an agent');
  if (output === 'json') return printJson(agentJson(agent));
  const { id, state, busy, slots } = agent;
  return print(`${visibleText(`agent ${id} ${agentState.of(state)}: ${busy} of ${slots} slots busy`)}\n`);
}

/** Why a trial does not run, in the words of `trawl explain`, which the dashboard has too. */

/** Lines, as the coordinator's texts have them: not fit for a terminal yet. */
export function explainLines({ trial, sinceMs, reasons, agents }: ExplainTrialResponse, now: number): string[] {
  if (trial === undefined) throw new Error('the coordinator answered without a trial');
  const span = formatSpan(Math.max(0, now - sinceMs));
  const since = sinceMs === 0 ? '' : trial.endedAtMs === 0 ? ` for ${span}` : ` ${span} ago`;
  const state = `trial ${trial.id} of sweep ${trial.sweepId}: ${trialState.of(trial.state)}${since}`;
  const lines = [state, ...reasons.map((reason) => `  ${reason}`)];
  if (agents.length > 0) lines.push('agents:', ...agents.map((agent) => `  ${verdict(agent)}`));
  return lines;
}

function verdict({ agentId, fitSlots, freeSlots, reasons }: AgentVerdict): string {
  if (fitSlots === 0) return `${agentId}: no: ${reasons.join('; ')}`;
  const slots = fitSlots === 1 ? '1 slot' : `${fitSlots} slots`;
  const may = freeSlots > 0 ? `may run it: ${freeSlots} of ${slots} free` : `may run it in ${slots}`;
  return [`${agentId}: ${may}`, ...reasons].join('; ');
}
