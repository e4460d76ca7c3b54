import type { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { formatSpan } from './duration.ts';

/** Returns why an agent takes no trials, such as `drained by ann: maintenance`; empty if no reason is known. */
export function agentReason({ drainReason, drainedBy, quarantine }: Agent): string {
  const drained = [drainedBy && `drained by ${drainedBy}`, drainReason].filter((part) => part !== '').join(': ');
  if (drained !== '' || quarantine === undefined) return drained;
  const { sweepIds, reason, probeInMs } = quarantine;
  const scope = sweepIds.length === 0 ? 'all sweeps' : `sweep ${sweepIds.join(', ')}`;
  return `quarantined for ${scope}: ${reason}; next probe ${probeInMs === 0 ? 'due' : `in ${formatSpan(probeInMs)}`}`;
}
