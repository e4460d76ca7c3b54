import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { AgentState } from '../../proto/gen/trawl/v1/types.ts';
import type { DashboardState } from './reducer.ts';

/** Returns the reason why a running sweep has no report yet; empty for any other sweep. */
export function waitingText({ sweep, agents, trials }: Pick<DashboardState, 'sweep' | 'agents' | 'trials'>): string {
  if (sweep === undefined || sweepEnded(sweep) || sweep.state === 'SWEEP_STATE_PAUSED') return '';
  let isStarted = false;
  for (const { attempts, epoch, endedAtMs } of trials.values()) {
    if (attempts === 0) continue;
    if (epoch > 0 || endedAtMs > 0) return '';
    isStarted = true;
  }
  if (isStarted) return 'the first trials are fetching their data and starting';
  const up = agents.some(({ state }) => state !== AgentState.LOST && state !== AgentState.LEFT);
  return up ? 'waiting for the first trial to start' : 'waiting for an agent to connect';
}
