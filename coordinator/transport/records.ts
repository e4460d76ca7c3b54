/** Validates the messages of agents, and converts the messages to the core's types. */

import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { BadInputError } from '../../proto/errors.ts';
import type {
  Ended,
  Heartbeat,
  AttemptKey as KeyMessage,
  Notice,
  Record as RecordMessage,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact as ArtifactMessage, ProgramStart } from '../../proto/gen/trawl/v1/types.ts';
import {
  artifactNameProblem,
  MAX_ARTIFACT_BYTES,
  MAX_METRICS,
  MAX_PACKAGES_BYTES,
  MAX_RECORDED_COMMAND,
} from '../../proto/limits.ts';
import { artifactKind, attemptOutcome, type FailureClassName, failureClass, warningKind } from '../../proto/names.ts';
import { isAttemptKey } from '../../proto/subjects.ts';
import type { HeartbeatFacts } from '../core/agents.ts';
import type { Artifact, FinalEnd } from '../core/attempt-model.ts';
import type { AttemptRecord } from '../core/attempt-records.ts';
import { MAX_GPUS, MAX_NAME } from './limits.ts';

const MAX_LOG_CHARACTERS = 256 * 1024;
const MAX_NOTICE_CHARACTERS = 4_000;
const MAX_FAILURE_CHARACTERS = 4_000;

type NoticeRecord = AttemptRecord & { kind: 'notice' };

const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Validates an attempt key, whose ids become parts of paths and NATS subjects.
 * @throws {BadInputError} if the key is missing or invalid
 */
export function attemptKeyOf(key: KeyMessage | undefined): AttemptKey {
  if (key === undefined || !isAttemptKey(key)) throw new BadInputError('missing or invalid attempt key');
  return key;
}

/**
 * Validates and converts a heartbeat.
 * @throws {BadInputError} if the heartbeat names an invalid attempt
 */
export function heartbeatOf(beat: Heartbeat): HeartbeatFacts {
  const { agentId, incarnation, held, claimed, leaving, gpuFigures, machineFigures } = beat;
  return {
    agentId,
    incarnation,
    held: held.map(attemptKeyOf),
    claimed: claimed.map(attemptKeyOf),
    leaving,
    gpuFigures: gpuFigures.slice(0, MAX_GPUS),
    machineFigures,
  };
}

/**
 * The latest time that a JavaScript date can represent. Later times in records are replaced with this time, because a
 * wrong clock must not end the attempts of a machine.
 */
const MAX_TIME_MS = 8.64e15;

/**
 * Validates and converts a record.
 * @throws {BadInputError} if the record is invalid or exceeds a limit
 */
export function recordOf(message: RecordMessage): AttemptRecord {
  const key = attemptKeyOf(message.key);
  const { seq, body } = message;
  const at = Math.min(message.atMs, MAX_TIME_MS);
  if (seq < 1) throw new BadInputError('invalid sequence number 0: records are numbered from 1');
  switch (body?.$case) {
    case 'epoch': {
      const { epoch, metrics } = body.epoch;
      if (Object.keys(metrics).length > MAX_METRICS) {
        throw new BadInputError(`too many metrics in a report: ${Object.keys(metrics).length} (max ${MAX_METRICS})`);
      }
      if (Object.keys(metrics).some((name) => name.length > MAX_NAME)) {
        throw new BadInputError(`metric name too long (max ${MAX_NAME} characters)`);
      }
      return { kind: 'report', key, seq, at, epoch, metrics };
    }
    case 'log':
      if (body.log.text.length > MAX_LOG_CHARACTERS) {
        throw new BadInputError(`log record too long (max ${MAX_LOG_CHARACTERS} characters)`);
      }
      return { kind: 'log', key, seq, at, text: body.log.text };
    case 'artifact':
      return { kind: 'artifact', key, seq, at, artifact: receivedArtifact(body.artifact) };
    case 'notice':
      return { key, seq, at, ...noticeOf(body.notice) };
    case 'program':
      return { kind: 'program', key, seq, at, program: programOf(body.program) };
    case 'ended':
      return { kind: 'ended', key, seq, at, end: endOf(body.ended) };
    default:
      throw new BadInputError('a record must contain a report, log text, an artifact, a notice, a program or an end');
  }
}

/**
 * Validates and converts an artifact.
 * @throws {BadInputError} if the name, size, checksum or kind is invalid
 */
export function receivedArtifact({ name, kind, epoch, size, sha256 }: ArtifactMessage): Artifact {
  const wrong = artifactNameProblem(name);
  if (wrong !== undefined) throw new BadInputError(`invalid artifact name ${JSON.stringify(name)}: ${wrong}`);
  if (size > MAX_ARTIFACT_BYTES) {
    throw new BadInputError(`artifact ${name} too large: ${size} bytes (max ${MAX_ARTIFACT_BYTES})`);
  }
  if (!SHA256.test(sha256)) throw new BadInputError(`artifact ${name} has no valid SHA-256`);
  if (kind === 'UNRECOGNIZED' || kind === 'ARTIFACT_KIND_UNSPECIFIED') {
    throw new BadInputError(`artifact ${name} has no kind`);
  }
  return { name, kind: artifactKind.of(kind), epoch, size, sha256 };
}

function programOf({ command, interpreter, python, packages }: ProgramStart): ProgramStart {
  const characters = command.reduce((sum, item) => sum + item.length + 1, 0);
  if (characters > 2 * MAX_RECORDED_COMMAND || interpreter.length > MAX_NAME * 5 || python.length > MAX_NAME) {
    throw new BadInputError(
      `program record too long (max ${2 * MAX_RECORDED_COMMAND} characters for the command line, ` +
        `${MAX_NAME * 5} for the path of the interpreter, and ${MAX_NAME} for the version of Python)`,
    );
  }
  if (Buffer.byteLength(packages) > MAX_PACKAGES_BYTES) {
    throw new BadInputError(`list of packages too long (max ${MAX_PACKAGES_BYTES} bytes)`);
  }
  return { command, interpreter, python, packages, attempt: 0 };
}

function noticeOf({ kind, message, count }: Notice): Pick<NoticeRecord, 'kind' | 'warning' | 'message' | 'count'> {
  if (kind === 'UNRECOGNIZED' || kind === 'WARNING_KIND_UNSPECIFIED')
    throw new BadInputError('a notice must have a kind');
  if (message.length > MAX_NOTICE_CHARACTERS) {
    throw new BadInputError(`notice too long (max ${MAX_NOTICE_CHARACTERS} characters)`);
  }
  if (!Number.isSafeInteger(count) || count < 0) throw new BadInputError(`invalid count of a notice: ${count}`);
  return { kind: 'notice', warning: warningKind.of(kind), message, count };
}

function endOf(ended: Ended): FinalEnd {
  if (ended.outcome === 'UNRECOGNIZED' || ended.outcome === 'ATTEMPT_OUTCOME_UNSPECIFIED') {
    throw new BadInputError('an end must have an outcome');
  }
  const outcome = attemptOutcome.of(ended.outcome);
  if (outcome === 'interrupted' || outcome === 'superseded' || outcome === 'stopped' || outcome === 'held') {
    throw new BadInputError(`an agent cannot report the outcome "${outcome}"`);
  }
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
