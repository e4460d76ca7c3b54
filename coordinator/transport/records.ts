/** Attempts' messages, checked at the border. */

import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { BadInputError } from '../../proto/errors.ts';
import type {
  Ended,
  AttemptKey as KeyMessage,
  Record as RecordMessage,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact as ArtifactMessage } from '../../proto/gen/trawl/v1/types.ts';
import { artifactNameProblem, MAX_ARTIFACT_BYTES, MAX_METRICS } from '../../proto/limits.ts';
import { artifactKind, attemptOutcome, type FailureClassName, failureClass } from '../../proto/names.ts';
import { namesAttempt } from '../../proto/subjects.ts';
import type { AttemptRecord } from '../core/attempts.ts';
import type { Artifact, AttemptEnd } from '../core/model.ts';
import { MAX_NAME } from './limits.ts';

/** Characters of one piece of log text. */
const MAX_LOG_CHARACTERS = 256 * 1024;
/** Characters kept of a failure's message. */
const MAX_FAILURE_CHARACTERS = 4_000;

const SHA256 = /^[0-9a-f]{64}$/;

/** @throws {BadInputError} for what cannot name an attempt: its ids become paths and subjects */
export function keyOf(key: KeyMessage | undefined): AttemptKey {
  if (key === undefined || !namesAttempt(key)) throw new BadInputError('a message about an attempt must name it');
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
      if (Object.keys(metrics).some((name) => name.length > MAX_NAME)) {
        throw new BadInputError(`a metric's name may have ${MAX_NAME} characters`);
      }
      return { kind: 'report', key, seq, at, epoch, metrics };
    }
    case 'log':
      if (body.log.text.length > MAX_LOG_CHARACTERS) {
        throw new BadInputError(`a piece of log may have ${MAX_LOG_CHARACTERS} characters`);
      }
      return { kind: 'log', key, seq, at, text: body.log.text };
    case 'artifact':
      return { kind: 'artifact', key, seq, at, artifact: artifactOf(body.artifact) };
    case 'ended':
      return { kind: 'ended', key, seq, at, end: endOf(body.ended) };
    default:
      throw new BadInputError('a record must carry a report, log text or an end');
  }
}

/** @throws {BadInputError} for a name that is no path below a folder, a size or a sum that cannot be */
export function artifactOf({ name, kind, epoch, size, sha256 }: ArtifactMessage): Artifact {
  const wrong = artifactNameProblem(name);
  if (wrong !== undefined) throw new BadInputError(`${JSON.stringify(name)} cannot name an artifact: ${wrong}`);
  if (size > MAX_ARTIFACT_BYTES) {
    throw new BadInputError(`artifact ${name} has ${size} bytes: expected at most ${MAX_ARTIFACT_BYTES}`);
  }
  if (!SHA256.test(sha256)) throw new BadInputError(`artifact ${name} must carry its SHA-256`);
  if (kind === 'UNRECOGNIZED' || kind === 'ARTIFACT_KIND_UNSPECIFIED') {
    throw new BadInputError(`artifact ${name} must say what it is`);
  }
  return { name, kind: artifactKind.of(kind), epoch, size, sha256 };
}

function endOf(ended: Ended): AttemptEnd {
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
