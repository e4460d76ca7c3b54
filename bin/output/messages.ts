import { visibleText } from '../../lib/text/visible-text.ts';
import type { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import { agentJson } from './json.ts';
import { print, printJson } from './print.ts';

/** Prints what an agent is after it was drained, or let take work again. */
export function printAgent(agent: Agent | undefined, output: 'table' | 'json'): Promise<void> {
  if (agent === undefined) throw new Error('the coordinator answered without an agent');
  if (output === 'json') return printJson(agentJson(agent));
  const { id, state, busy, slots } = agent;
  return print(`${visibleText(`agent ${id} ${agentState.of(state)}: ${busy} of ${slots} slots busy`)}\n`);
}
