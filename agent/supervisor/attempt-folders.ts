/** Removes the folder of an attempt once the attempt has ended and the coordinator has acknowledged its last record. */

import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sameAttempt } from '../../lib/domain/attempt-key.ts';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { attemptFolder, attemptsFolder } from '../folders.ts';
import { DISK_RETRY_MS, type RecordWriter } from './record-writer.ts';
import type { Spool } from './spool.ts';

/** The removal is retried: while the agent ends a program, the program's processes may still write into the folder. */
const REMOVE = { recursive: true, force: true, maxRetries: 5, retryDelay: 500 } as const;

export class AttemptFolders {
  readonly #dir: string;
  readonly #spool: Spool;
  /** Ended attempts whose folders still have to be removed. */
  #released: AttemptKey[] = [];

  /** Removes the attempt folders that an earlier agent process left, except folders that a spooled record needs. */
  constructor(dir: string, spool: Spool) {
    this.#dir = dir;
    this.#spool = spool;
    const root = attemptsFolder(dir);
    if (!existsSync(root)) return;
    this.#released = spool.attempts();
    const needed = new Set(this.#released.map((key) => attemptFolder(dir, key)));
    for (const name of readdirSync(root)) {
      const folder = join(root, name);
      if (!needed.has(folder)) rm(folder, REMOVE).catch(() => {});
    }
  }

  /**
   * Waits for `delayMs`, and then until all records of the attempt are in the spool. Then marks the attempt's folder
   * for removal.
   */
  releaseWhenSpooled(key: AttemptKey, records: Pick<RecordWriter, 'attempts'>, delayMs: number): void {
    setTimeout(() => {
      const isPending = records.attempts().some((pending) => sameAttempt(pending, key));
      if (isPending) this.releaseWhenSpooled(key, records, DISK_RETRY_MS);
      else this.#release(key);
    }, delayMs).unref();
  }

  #release(key: AttemptKey): void {
    if (existsSync(attemptFolder(this.#dir, key))) this.#released.push(key);
    this.removeReleased();
  }

  /** Removes the folders that the spool no longer needs. The method must be called whenever the spool has shrunk. */
  removeReleased(): void {
    if (this.#released.length === 0) return;
    const removable = this.#released.filter((key) => !this.#spool.holds(key));
    if (removable.length === 0) return;
    this.#released = this.#released.filter((key) => !removable.includes(key));
    for (const key of removable) rm(attemptFolder(this.#dir, key), REMOVE).catch(() => {});
  }
}
