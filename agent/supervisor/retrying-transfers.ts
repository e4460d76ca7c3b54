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

/** After this many failed downloads, an attempt starts without its checkpoint. */
const MAX_DOWNLOADS = 5;

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
   * Uploads the file of an artifact's record, and retries until the coordinator has stored it or rejects the attempt.
   * @param signal aborted when the stream is lost, which ends the retries
   */
  async upload({ key, body }: RecordMessage, signal: AbortSignal): Promise<'stored' | 'aborted' | Refusal> {
    if (key === undefined || body?.$case !== 'artifact') return 'stored';
    const { artifact } = body;
    const path = keptFile(attemptFolder(this.#dir, key), artifact.name);
    const backoff = new Backoff(RECONNECT_MIN_MS, RECONNECT_MAX_MS);
    while (!signal.aborted) {
      try {
        return await this.#client.upload({ agentId: this.#agentId, key, artifact, path }, signal);
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof LostFileError || callErrorCode(error) === status.INVALID_ARGUMENT) {
          // No retry can succeed, and the attempt cannot end without its artifact, so its trial must run again.
          this.#log.error({ err: error, ...key }, 'could not upload an artifact: abandoning its attempt');
          const message = errorMessage(error);
          return { code: RefusalCode.UNKNOWN, message };
        }
        this.#log.warn({ err: error, name: artifact.name }, 'could not upload an artifact; retrying');
        await sleep(backoff.next(), undefined, { signal }).catch(() => {});
      }
    }
    return 'aborted';
  }

  /**
   * Downloads the checkpoint that an attempt resumes from into the attempt's folder. Waits for an unavailable
   * coordinator as long as `isWanted` returns true. Stops after a few tries when the coordinator answers, but does not
   * have the file or sends it damaged.
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
