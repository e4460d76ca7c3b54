/** Removes the folder of an attempt once the attempt has ended and the coordinator has acknowledged its last record. */

import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { keyText } from '../../lib/domain/attempt-key.ts';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { attemptFolder, attemptsFolder } from '../folders.ts';
import { PATIENT_GATHER_MS } from './gathering.ts';
import { DISK_RETRY_MS, type RecordWriter } from './record-writer.ts';
import type { Spool } from './spool.ts';

/** Within this time, in milliseconds, the records of an ended attempt are normally in the spool. */
const EXAMINE_MS = 2 * PATIENT_GATHER_MS;

/** The removal is retried: while the agent ends a program, the program's processes may still write into the folder. */
const REMOVE = { recursive: true, force: true, maxRetries: 5, retryDelay: 500 } as const;

export class AttemptFolders {
  readonly #dir: string;
  readonly #spool: Spool;
  /** Ended attempts whose records may not be in the spool yet. */
  #ended: AttemptKey[] = [];
  #timer: NodeJS.Timeout | undefined;
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
   * Marks the folder of an ended attempt for removal once all records of the attempt are in the spool. The ended attempts
   * are examined together, at most `EXAMINE_MS` later.
   */
  releaseWhenSpooled(key: AttemptKey, records: Pick<RecordWriter, 'attempts' | 'isDiskFull'>): void {
    this.#ended.push(key);
    this.#timer ??= setTimeout(() => this.#examine(records), records.isDiskFull ? DISK_RETRY_MS : EXAMINE_MS).unref();
  }

  #examine(records: Pick<RecordWriter, 'attempts' | 'isDiskFull'>): void {
    const ended = this.#ended;
    this.#ended = [];
    this.#timer = undefined;
    const pending = new Set(records.attempts().map(keyText));
    for (const key of ended) {
      if (pending.has(keyText(key))) this.releaseWhenSpooled(key, records);
      else if (existsSync(attemptFolder(this.#dir, key))) this.#released.push(key);
    }
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
