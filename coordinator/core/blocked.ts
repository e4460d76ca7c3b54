/** Finds sweeps whose trials cannot run on any connected agent. The conditions are those that the scheduler uses. */
import { missingText } from '../../lib/text/explain.ts';
import { takesWork } from './drain.ts';
import { shortfallsOf } from './fitness.ts';
import type { Core, Sweep } from './model.ts';
import { capabilityOf } from './pools.ts';

/**
 * Returns why no pending trial of a running sweep can start, such as `no agent has 200 GiB of GPU memory`. If no trial
 * is pending, returns why no further trial can be created. Returns an empty text if a slot can run the trials (even a
 * busy slot), if nothing prevents further trials, or if the sweep is not running.
 */
export function blockedReason(core: Core, sweepId: string): string {
  const sweep = core.sweeps.get(sweepId);
  if (sweep === undefined || sweep.state !== 'running') return '';
  if (sweep.counts.pending + sweep.counts.offered === 0) return sweep.search?.source.problem ?? '';
  const agents = [...core.agents.values()].filter((agent) => takesWork(core, agent));
  if (agents.length === 0) return core.agents.size === 0 ? 'no agent is connected' : 'no connected agent takes work';
  let common: Set<string> | undefined;
  for (const agent of agents) {
    for (let slot = 0; slot < agent.slots; slot++) {
      const missing = missingTexts(sweep, capabilityOf(agent, slot));
      if (missing.size === 0) return '';
      common = common === undefined ? missing : new Set([...common].filter((text) => missing.has(text)));
    }
  }
  const [first] = common ?? [];
  return first ?? 'no slot meets all requirements of the sweep';
}

function missingTexts({ policy }: Sweep, slot: ReturnType<typeof capabilityOf>): Set<string> {
  return new Set(shortfallsOf(policy, slot).map(missingText));
}
