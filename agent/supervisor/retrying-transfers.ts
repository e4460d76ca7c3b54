/** Uploads artifacts and downloads checkpoints, with retries. */

import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { Backoff } from '../../lib/net/backoff.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import {
  type AttemptKey,
  type Record as RecordMessage,
  type Refusal,
  RefusalCode,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { attemptFolder, keptFile, resumeFile } from '../folders.ts';
import { LostFileError } from './artifact-transfer.ts';
import { type CoordinatorClient, callErrorCode, RECONNECT_MAX_MS, RECONNECT_MIN_MS } from './coordinator-client.ts';

/** The number of failed downloads after which a checkpoint counts as missing. */
const MAX_DOWNLOADS = 5;

/**
 * The time for which an upload is retried if the file does not fit on the coordinator's disk. An operator can free
 * space in this time.
 */
const NO_SPACE_RETRY_MS = 30_000;
/** The number of internal errors of the coordinator after which an artifact is skipped. */
const MAX_INTERNAL_ERRORS = 10;

export type UploadOutcome =
  | { readonly kind: 'stored' }
  | { readonly kind: 'aborted' }
  /** The coordinator cannot store the file of the artifact. The attempt continues without the artifact. */
  | { readonly kind: 'skipped'; readonly reason: string }
  /**
   * No more records of the attempt may be sent: the coordinator rejects them, or the artifact can never be uploaded.
   */
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Counts the failures of one upload, and decides when another retry is useless. */
export class UploadRetries {
  #noSpaceSince: number | undefined;
  #internalErrors = 0;

  /**
   * Returns whether no further retry is allowed after this failure.
   * @param code the gRPC status, or the code of a system error
   * @param now the current time in milliseconds
   */
  isLast(code: unknown, now: number): boolean {
    switch (code) {
      case status.ALREADY_EXISTS:
        return true;
      case status.FAILED_PRECONDITION:
        this.#noSpaceSince ??= now;
        return now - this.#noSpaceSince >= NO_SPACE_RETRY_MS;
      case status.INTERNAL:
      case status.UNKNOWN:
        this.#internalErrors += 1;
        return this.#internalErrors >= MAX_INTERNAL_ERRORS;
      default:
        return false;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'details' in error ? `${error.details}` : errorMessage(error);
}

export class RetryingTransfers {
  readonly #client: Pick<CoordinatorClient, 'upload' | 'download'>;
  readonly #dir: string;
  readonly #agentId: string;
  readonly #log: Logger;

  /** @param dir the agent's folder */
  constructor(client: Pick<CoordinatorClient, 'upload' | 'download'>, dir: string, agentId: string, log: Logger) {
    this.#client = client;
    this.#dir = dir;
    this.#agentId = agentId;
    this.#log = log;
  }

  /**
   * Uploads the file of an artifact's record, and retries until the coordinator has stored the file, cannot store the
   * file, or rejects the attempt.
   * @param signal aborted when the stream is lost, which ends the retries
   */
  async upload({ key, body }: RecordMessage, signal: AbortSignal): Promise<UploadOutcome> {
    if (key === undefined || body?.$case !== 'artifact') return { kind: 'stored' };
    const { artifact } = body;
    const path = keptFile(attemptFolder(this.#dir, key), artifact.name);
    const backoff = new Backoff(RECONNECT_MIN_MS, RECONNECT_MAX_MS);
    const retries = new UploadRetries();
    while (!signal.aborted) {
      try {
        const answer = await this.#client.upload({ agentId: this.#agentId, key, artifact, path }, signal);
        return answer === 'stored' ? { kind: 'stored' } : { kind: 'refused', refusal: answer };
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof LostFileError || callErrorCode(error) === status.INVALID_ARGUMENT) {
          // No retry can succeed, and the attempt cannot succeed without this artifact, so the trial must run again.
          this.#log.error({ err: error, ...key }, 'could not upload an artifact; abandoning its attempt');
          const message = errorMessage(error);
          return { kind: 'refused', refusal: { code: RefusalCode.UNKNOWN, message } };
        }
        if (retries.isLast(callErrorCode(error), performance.now())) {
          this.#log.error(
            { err: error, ...key },
            'could not upload an artifact; its attempt continues without the artifact',
          );
          return { kind: 'skipped', reason: reasonOf(error) };
        }
        this.#log.warn({ err: error, name: artifact.name }, 'could not upload an artifact; retrying');
        await sleep(backoff.next(), undefined, { signal }).catch(() => {});
      }
    }
    return { kind: 'aborted' };
  }

  /**
   * Downloads the checkpoint of a resuming attempt into the attempt's folder. While `isWanted` returns true, calls to
   * an unavailable coordinator are retried. If the coordinator answers but the file is missing or damaged, the download
   * fails after a few retries.
   * @returns whether the file is complete and intact
   */
  async downloadCheckpoint(key: AttemptKey, checkpoint: Artifact, isWanted: () => boolean): Promise<boolean> {
    const path = resumeFile(attemptFolder(this.#dir, key));
    const backoff = new Backoff(RECONNECT_MIN_MS, RECONNECT_MAX_MS);
    for (let failures = 0; failures < MAX_DOWNLOADS && isWanted(); ) {
      try {
        if (await this.#client.download(key, checkpoint, path)) return true;
        this.#log.warn({ ...key, name: checkpoint.name }, 'a downloaded checkpoint was damaged');
        failures += 1;
      } catch (error) {
        this.#log.warn({ err: error, ...key }, 'could not download a checkpoint');
        if (callErrorCode(error) !== status.UNAVAILABLE) failures += 1;
      }
      await sleep(backoff.next());
    }
    return false;
  }
}
