/** Attempts' messages, checked at the border. */
import { BadInputError } from '../../proto/errors.ts';
import type {
  Ended,
  AttemptKey as KeyMessage,
  Record as RecordMessage,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { attemptOutcome, type FailureClassName, failureClass } from '../../proto/names.ts';
import type { AttemptRecord } from '../core/attempts.ts';
import type { AttemptKey, Ending } from '../core/model.ts';

/** Metrics that one report may carry. */
export const MAX_METRICS = 256;
/** Characters of one piece of log text. */
export const MAX_LOG_CHARACTERS = 256 * 1024;
/** Characters kept of a failure's message. */
export const MAX_FAILURE_CHARACTERS = 4_000;

export function keyOf(key: KeyMessage | undefined): AttemptKey {
  if (key === undefined || key.attempt < 1) throw new BadInputError('a message about an attempt must name it');
  return key;
}

/** @throws {BadInputError} for what no agent of this version sends */
export function recordOf(message: RecordMessage): AttemptRecord {
  const key = keyOf(message.key);
  const { seq, body } = message;
  const at = message.atMs;
  if (seq < 1) throw new BadInputError('records are numbered from 1');
  switch (body?.$case) {
    case 'epoch': {
      const { epoch, metrics } = body.epoch;
      if (Object.keys(metrics).length > MAX_METRICS) {
        throw new BadInputError(
          `a report may carry ${MAX_METRICS} metrics, this one has ${Object.keys(metrics).length}`,
        );
      }
      return { kind: 'report', key, seq, at, epoch, metrics };
    }
    case 'log':
      if (body.log.text.length > MAX_LOG_CHARACTERS) {
        throw new BadInputError(`a piece of log may have ${MAX_LOG_CHARACTERS} characters`);
      }
      return { kind: 'log', key, seq, at, text: body.log.text };
    case 'ended':
      return { kind: 'ended', key, seq, at, ending: endingOf(body.ended) };
    default:
      throw new BadInputError('a record must carry a report, log text or an end');
  }
}

function endingOf(ended: Ended): Ending {
  if (ended.outcome === 'UNRECOGNIZED' || ended.outcome === 'ATTEMPT_OUTCOME_UNSPECIFIED') {
    throw new BadInputError('an end must say its outcome');
  }
  const outcome = attemptOutcome.of(ended.outcome);
  if (outcome !== 'failed') return { outcome };
  return {
    outcome,
    failure: {
      class: classOf(ended.failure?.class),
      message: (ended.failure?.message ?? '').slice(0, MAX_FAILURE_CHARACTERS),
    },
  };
}

function classOf(value: Parameters<typeof failureClass.of>[0] | undefined): FailureClassName {
  if (value === undefined || value === 'UNRECOGNIZED' || value === 'FAILURE_CLASS_UNSPECIFIED') return 'crash';
  return failureClass.of(value);
}
