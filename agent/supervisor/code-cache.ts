/**
 * Stores code archives as code/SHA256.tar in the agent's folder. Each archive is downloaded once for all slots and
 * attempts. An interrupted download resumes. An attempt has its own link to its archive, so the cache can remove an
 * archive at any time.
 */
import { copyFile, link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { Backoff } from '../../lib/net/backoff.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { isDiskFull } from '../../proto/errors.ts';
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_CODE_BYTES } from '../../proto/limits.ts';
import { type CoordinatorClient, callErrorCode, RECONNECT_MAX_MS, RECONNECT_MIN_MS } from './coordinator-client.ts';

/** The maximum total size of the archives. Above this size, the least recently used archives are removed. */
const MAX_CACHE_BYTES = 4 * MAX_CODE_BYTES;
/**
 * The number of failed downloads after which an attempt fails in preflight. Calls that do not reach the coordinator are
 * not counted.
 */
const MAX_DOWNLOADS = 5;
/** The time without progress after which a partial download is removed. */
const MAX_PART_AGE_MS = 24 * 3_600_000;

const EXTENSION = '.tar';
const PARTS = '.parts';

/** Thrown when the code of an attempt is not available. The error message contains the reason. */
class CodeUnavailableError extends Error {}

export interface CodeCacheOptions {
  /** The agent's folder. */
  readonly dir: string;
  readonly client: Pick<CoordinatorClient, 'downloadCode'>;
  readonly log: Logger;
  /** The maximum total size of the archives, in bytes. Default: MAX_CACHE_BYTES. */
  readonly maxBytes?: number;
}

interface Download {
  readonly done: Promise<void>;
  /**
   * The list contains one function per waiting attempt. Each function returns whether the attempt still waits for the
   * download.
   */
  readonly waiting: (() => boolean)[];
}

export class CodeCache {
  readonly #dir: string;
  readonly #options: CodeCacheOptions;
  readonly #downloads = new Map<string, Download>();
  /** Archives that this process has downloaded or verified. */
  readonly #verified = new Set<string>();

  constructor(options: CodeCacheOptions) {
    this.#options = options;
    this.#dir = join(options.dir, 'code');
  }

  /**
   * Links an archive to `path`, and downloads the archive first if it is not in the cache. If the coordinator is
   * unreachable, the download is retried while `isWanted` returns true.
   * @param isWanted returns whether the attempt still waits for the code
   * @throws {CodeUnavailableError} when the disk is full, the download keeps failing, or the attempt no longer waits
   */
  async provide(archive: CodeArchive, path: string, isWanted: () => boolean): Promise<void> {
    if (!/^[0-9a-f]{64}$/.test(archive.sha256)) throw new CodeUnavailableError('the grant has an invalid code archive');
    try {
      for (let tries = 0; ; tries++) {
        if (!(await this.#has(archive))) await this.#downloaded(archive, isWanted);
        if (await this.#link(archive, path)) return;
        // The archive was removed before it could be linked, so it is downloaded again.
        if (tries === MAX_DOWNLOADS)
          throw new CodeUnavailableError('the code archive keeps disappearing from the cache');
      }
    } catch (error) {
      if (isDiskFull(error)) {
        throw new CodeUnavailableError(`the agent's disk is full: could not store the code: ${errorMessage(error)}`);
      }
      throw error;
    }
  }

  async #link({ sha256 }: CodeArchive, path: string): Promise<boolean> {
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    try {
      await link(this.#path(sha256), path);
    } catch (error) {
      if (callErrorCode(error) === 'ENOENT') return false;
      // Some file systems do not support hard links.
      await copyFile(this.#path(sha256), path);
    }
    return true;
  }

  /**
   * Returns whether the cache has an intact copy of an archive. Removes a damaged copy, and marks an intact copy as
   * recently used. Each agent process verifies a copy once, before the first use, because the disk could have damaged
   * the copy.
   */
  async #has({ sha256, size }: CodeArchive): Promise<boolean> {
    const path = this.#path(sha256);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) return false;
    if (found.size !== size || !(this.#verified.has(sha256) || (await checksumOfFile(path)).sha256 === sha256)) {
      this.#options.log.warn({ file: path }, 'a cached code archive was damaged and is downloaded again');
      await rm(path, { force: true });
      return false;
    }
    this.#verified.add(sha256);
    const now = new Date();
    await utimes(path, now, now);
    return true;
  }

  #downloaded(archive: CodeArchive, isWanted: () => boolean): Promise<void> {
    const running = this.#downloads.get(archive.sha256);
    if (running !== undefined) {
      running.waiting.push(isWanted);
      return running.done;
    }
    const waiting = [isWanted];
    const done = this.#download(archive, () => waiting.some((isStillWanted) => isStillWanted())).finally(() =>
      this.#downloads.delete(archive.sha256),
    );
    this.#downloads.set(archive.sha256, { done, waiting });
    return done;
  }

  async #download(archive: CodeArchive, isWanted: () => boolean): Promise<void> {
    const { client, log } = this.#options;
    const { sha256, size } = archive;
    const part = join(this.#dir, PARTS, sha256);
    const backoff = new Backoff(RECONNECT_MIN_MS, RECONNECT_MAX_MS);
    let reason = 'no attempt waits for it any longer';
    await mkdir(dirname(part), { recursive: true });
    await this.#removeOldParts();
    await this.#makeRoom(size);
    for (let failures = 0; failures < MAX_DOWNLOADS && isWanted(); ) {
      try {
        await client.downloadCode(archive, part);
        const { sha256: received } = await checksumOfFile(part);
        if (received === sha256) return await this.#finish(archive, part);
        await rm(part, { force: true });
        reason = `it was damaged in transit (SHA-256 ${received})`;
        failures += 1;
      } catch (error) {
        if (isDiskFull(error)) throw error;
        reason = errorMessage(error);
        if (callErrorCode(error) !== status.UNAVAILABLE) failures += 1;
      }
      log.warn({ sha256, reason }, 'could not download a code archive');
      if (failures < MAX_DOWNLOADS) await sleep(backoff.next());
    }
    throw new CodeUnavailableError(`could not download the code archive ${sha256.slice(0, 12)}: ${reason}`);
  }

  async #finish({ sha256, size }: CodeArchive, part: string): Promise<void> {
    await syncPath(part);
    await rename(part, this.#path(sha256));
    this.#verified.add(sha256);
    this.#options.log.info({ sha256, bytes: size }, 'downloaded a code archive');
  }

  /** Removes the least recently used archives until there is space for another archive. */
  async #makeRoom(bytes: number): Promise<void> {
    const limit = this.#options.maxBytes ?? MAX_CACHE_BYTES;
    const cached = (await this.#list(this.#dir)).filter(({ path }) => path.endsWith(EXTENSION));
    let total = cached.reduce((sum, { size }) => sum + size, bytes);
    for (const { path, size } of cached.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (total <= limit) return;
      await rm(path, { force: true });
      total -= size;
    }
  }

  async #removeOldParts(): Promise<void> {
    for (const { path, mtimeMs } of await this.#list(join(this.#dir, PARTS))) {
      if (Date.now() - mtimeMs > MAX_PART_AGE_MS) await rm(path, { force: true });
    }
  }

  async #list(folder: string): Promise<{ path: string; size: number; mtimeMs: number }[]> {
    const names = await readdir(folder).catch(() => []);
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        const facts = await stat(path).catch(() => undefined);
        return facts?.isFile() ? [{ path, size: facts.size, mtimeMs: facts.mtimeMs }] : [];
      }),
    );
    return found.flat();
  }

  #path(sha256: string): string {
    return join(this.#dir, `${sha256}${EXTENSION}`);
  }
}
