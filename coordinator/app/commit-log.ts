/** Tells the log what became durable, with the ids to search by. Failures always; what goes well only in detail. */
import type { Logger } from 'pino';
import type { Change } from '../core/step.ts';

export function logChange(log: Logger, change: Change): void {
  switch (change.kind) {
    case 'granted':
      log.debug({ ...change.key, agentId: change.agentId, slot: change.slot }, 'an attempt was granted');
      break;
    case 'ended': {
      const { key, end } = change;
      if (end.outcome === 'failed') log.info({ ...key, ...end.failure }, 'an attempt failed');
      else log.debug({ ...key, outcome: end.outcome }, 'an attempt ended');
      break;
    }
    case 'retried': {
      const { sweepId, trialId, failure } = change;
      log.info({ sweepId, trialId, failure }, 'a trial is tried again, as a person asked');
      break;
    }
    case 'sweep':
      log.info({ sweepId: change.sweepId, state: change.state, reason: change.reason }, 'a sweep changed its state');
      break;
    case 'priority':
      log.info({ sweepId: change.sweepId, priority: change.priority }, "a sweep's priority was changed");
      break;
    case 'trial':
    case 'report':
    case 'log':
    case 'artifact':
    case 'drain':
      break;
  }
}
