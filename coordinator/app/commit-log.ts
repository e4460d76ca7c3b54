/**
 * Logs a durable change, with the ids of the affected sweep, attempt or agent. New warnings, slow attempts and changes
 * of quarantines are logged at level warn. Failed attempts, retries by users, and changes of the state, version or
 * priority of a sweep are logged at level info. The other changes are logged at level debug, or not at all.
 */
import type { Logger } from 'pino';
import type { Change } from '../core/step.ts';

export function logChange(log: Logger, change: Change): void {
  switch (change.kind) {
    case 'granted':
      log.debug({ ...change.key, agentId: change.agentId, slot: change.slot }, 'granted an attempt');
      break;
    case 'ended': {
      const { key, end } = change;
      if (end.outcome === 'failed') log.info({ ...key, ...end.failure }, 'an attempt failed');
      else log.debug({ ...key, outcome: end.outcome }, 'an attempt ended');
      break;
    }
    case 'retried': {
      const { sweepId, trialId, failure } = change;
      log.info({ sweepId, trialId, failure }, 'a user retried a trial');
      break;
    }
    case 'sweep':
      log.info({ sweepId: change.sweepId, state: change.state, reason: change.reason }, 'the state of a sweep changed');
      break;
    case 'applied': {
      const { sweepId, version } = change;
      log.info({ sweepId, version: version.number, detail: version.detail }, 'a user applied a new version of a sweep');
      break;
    }
    case 'priority':
      log.info({ sweepId: change.sweepId, priority: change.priority }, 'the priority of a sweep changed');
      break;
    case 'warning':
      if (change.appeared && change.shown !== undefined) {
        log.warn(
          { sweepId: change.sweepId, warning: change.warning, detail: change.shown.message },
          'a sweep has a warning',
        );
      }
      break;
    case 'straggler':
      log.warn({ ...change.key, detail: change.detail }, 'an attempt is slow');
      break;
    case 'quarantine':
      log.warn({ agentId: change.agentId, detail: change.detail }, 'the quarantine of an agent changed');
      break;
    case 'promoted':
      log.debug({ ...change.key }, 'a trial continues with its speculative attempt');
      break;
    case 'created':
    case 'inherited':
    case 'suggested':
    case 'searched':
    case 'facts':
    case 'identical':
    case 'cleared':
    case 'notice':
    case 'program':
    case 'trial':
    case 'report':
    case 'rung':
    case 'log':
    case 'artifact':
    case 'agent':
    case 'drain':
      break;
  }
}
