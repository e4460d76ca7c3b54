/** Sends an action to the source and describes its result for the status line. */
import { shortId } from '../lib/text/short-id.ts';
import type { Sweep, TrialCounts } from '../proto/gen/trawl/v1/types.ts';
import { agentState, sweepState } from '../proto/names.ts';
import type { Source } from './source.ts';
import { statusName } from './state/actions.ts';
import type { Action } from './state/ui.ts';

export interface ActionResult {
  readonly text: string;
  /** The sweep whose trials are pending again after a retry. */
  readonly retriedSweepId?: string | undefined;
}

/** @throws {TrawlError} when the coordinator rejects the action or cannot be reached */
export async function runAction(source: Source, action: Action): Promise<ActionResult> {
  switch (action.name) {
    case 'drain':
    case 'undrain': {
      const { id, state, busy } = await source.drain(action.agentId, action.name === 'drain');
      return { text: `agent ${id} is ${agentState.of(state)}; ${busy} ${busy === 1 ? 'slot' : 'slots'} busy` };
    }
    case 'retry': {
      const { sweep, retried } = await source.retry(action.sweepId, action.selection);
      const text = `${retried === 1 ? '1 trial is' : `${retried} trials are`} pending again`;
      const running = sweep.state === 'SWEEP_STATE_RUNNING';
      return {
        text: running ? text : `${text}; ${nameOf(sweep)} is ${sweepState.of(sweep.state)}`,
        retriedSweepId: retried > 0 ? sweep.id : undefined,
      };
    }
    case 'kill trials': {
      const { sweepId, trialIds } = action;
      for (const id of trialIds) await source.killTrial(sweepId, id);
      const [first = ''] = trialIds;
      return {
        text:
          trialIds.length === 1 ? `trial ${shortId(first)} is cancelled` : `${trialIds.length} trials are cancelled`,
      };
    }
    case 'priority': {
      const sweep = await source.prioritize(action.sweepId, action.priority);
      return { text: `${nameOf(sweep)} has priority ${sweep.priority}` };
    }
    default: {
      const sweep = await source.controlSweep(action.sweepId, action.name);
      const { running, pending } = totals(sweep.counts);
      return { text: `${nameOf(sweep)} is ${sweepState.of(sweep.state)}; ${running} running, ${pending} pending` };
    }
  }
}

const nameOf = ({ id, name }: Sweep): string => `sweep ${id} (${statusName(name)})`;

const totals = (counts: TrialCounts | undefined) => ({
  running: counts?.running ?? 0,
  pending: (counts?.pending ?? 0) + (counts?.offered ?? 0),
});
