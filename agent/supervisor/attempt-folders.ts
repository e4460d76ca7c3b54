/** Removes attempts' folders: an attempt's goes once it is over and its last record is with the coordinator. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { attemptFolder, attemptsFolder } from '../attempt-folder.ts';
import type { Spool } from './spool.ts';

export class AttemptFolders {
  readonly #dir: string;
  readonly #spool: Spool;
  #over: AttemptKey[] = [];

  /** Folders that an earlier process of the agent left, and no record needs any more, go at once. */
  constructor(dir: string, spool: Spool) {
    this.#dir = dir;
    this.#spool = spool;
    const root = attemptsFolder(dir);
    if (!existsSync(root)) return;
    this.#over = spool.attempts();
    const needed = new Set(this.#over.map((key) => attemptFolder(dir, key)));
    for (const name of readdirSync(root)) {
      const folder = join(root, name);
      if (!needed.has(folder)) rmSync(folder, { recursive: true, force: true });
    }
  }

  over(key: AttemptKey): void {
    // Most trials of a fast sweep write nothing: there is nothing to remember of them.
    if (existsSync(attemptFolder(this.#dir, key))) this.#over.push(key);
    this.tidy();
  }

  /** To be called when the spool has become smaller. */
  tidy(): void {
    if (this.#over.length === 0) return;
    const free = this.#over.filter((key) => !this.#spool.holds(key));
    if (free.length === 0) return;
    this.#over = this.#over.filter((key) => !free.includes(key));
    for (const key of free) rm(attemptFolder(this.#dir, key), { recursive: true, force: true }).catch(() => {});
  }
}
