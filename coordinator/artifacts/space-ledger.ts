/**
 * Reserves space for uploads: on the coordinator's disk, or in the quota of a remote store. The bytes that an upload
 * has announced but not sent yet are reserved, so that concurrent uploads cannot fill the disk together. A reservation
 * exists only in memory, and ends when its upload or the process ends.
 */
import { statfs } from 'node:fs/promises';
import { formatSize } from '../../lib/text/size.ts';
import { NoSpaceError, OverloadedError } from '../../proto/errors.ts';

/** The disk space that uploads leave free for the store, in bytes. */
export const MIN_FREE_BYTES = 256 * 1024 * 1024;

export type SpaceAnswer = 'fits' | 'later' | 'never';

/**
 * Decides whether an upload fits.
 * @param need the number of bytes that must still arrive
 * @param free the number of free bytes; bytes that have already arrived are no longer free
 * @param reserved the number of bytes that other uploads may still send
 * @param keep the number of bytes that uploads leave free
 * @returns `later` if the upload fits only without the reservations, and `never` if it does not fit even without them
 */
export function spaceAnswer(need: number, free: number, reserved: number, keep = MIN_FREE_BYTES): SpaceAnswer {
  const available = free - keep;
  if (need > available) return 'never';
  return need > available - reserved ? 'later' : 'fits';
}

/** The space that is reserved for one upload. */
export interface Reservation {
  /** Releases the reserved space of bytes that were written. */
  consume(bytes: number): void;
  /** Releases the rest of the reserved space. After the first call, further calls have no effect. */
  release(): void;
}

export class SpaceLedger {
  readonly #freeBytes: () => Promise<number>;
  readonly #of: string;
  readonly #keepBytes: number;
  #reserved = 0;

  /**
   * @param freeBytes returns the free space
   * @param options `of` is the name of the disk or quota, for messages. `keepBytes` is the number of bytes that uploads
   * leave free
   */
  constructor(freeBytes: () => Promise<number>, { of = "the coordinator's disk", keepBytes = MIN_FREE_BYTES } = {}) {
    this.#freeBytes = freeBytes;
    this.#of = of;
    this.#keepBytes = keepBytes;
  }

  /** Creates a ledger for the disk that contains a folder. */
  static of(dir: string): SpaceLedger {
    return new SpaceLedger(async () => {
      const { bavail, bsize } = await statfs(dir);
      return bavail * bsize;
    });
  }

  /** The number of bytes that the running uploads have announced and not sent yet. */
  get reservedBytes(): number {
    return this.#reserved;
  }

  /**
   * Reserves space. The caller must release the reservation when the upload ends.
   * @param name the name of the file, for messages
   * @throws {OverloadedError} if the file does not fit now, but may fit after other uploads have ended
   * @throws {NoSpaceError} if the file would not fit even without other uploads
   */
  async reserve(name: string, bytes: number): Promise<Reservation> {
    const free = await this.#freeBytes();
    // There is no `await` after this point, so two uploads cannot reserve the same space.
    const answer = spaceAnswer(bytes, free, this.#reserved, this.#keepBytes);
    const space = `${formatSize(bytes)}, but ${this.#of} has ${formatSize(Math.max(0, free))} free`;
    const kept = this.#keepBytes === 0 ? '' : `, and ${formatSize(this.#keepBytes)} must stay free`;
    if (answer === 'never') throw new NoSpaceError(`${name} does not fit: it needs ${space}${kept}`);
    if (answer === 'later') {
      throw new OverloadedError(
        `${name} must wait for other uploads (${formatSize(this.#reserved)} reserved): it needs ${space}${kept}`,
      );
    }
    return this.#add(bytes);
  }

  #add(bytes: number): Reservation {
    let left = bytes;
    this.#reserved += bytes;
    const take = (taken: number) => {
      left -= taken;
      this.#reserved -= taken;
    };
    return { consume: (written) => take(Math.min(written, left)), release: () => take(left) };
  }
}
