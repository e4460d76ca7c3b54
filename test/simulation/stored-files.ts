import type { AttemptKey } from '../../lib/domain/attempt-key.ts';

interface StoredFile {
  readonly key: AttemptKey;
  readonly name: string;
  readonly sha256: string;
  /** When the file was stored, in virtual time. */
  readonly at: number;
}

/** Models coordinator/artifacts/files.ts, with checksums instead of bytes. */
export class StoredFiles {
  readonly #files = new Map<string, StoredFile>();

  has(key: AttemptKey, name: string): boolean {
    return this.#files.has(pathOf(key, name));
  }

  isMissing(key: AttemptKey, name: string): boolean {
    return !this.has(key, name);
  }

  sumOf(key: AttemptKey, name: string): string | undefined {
    return this.#files.get(pathOf(key, name))?.sha256;
  }

  put(key: AttemptKey, name: string, sha256: string, at: number): void {
    this.#files.set(pathOf(key, name), { key, name, sha256, at });
  }

  async share(from: AttemptKey, to: AttemptKey, { name }: { readonly name: string }): Promise<void> {
    const file = this.#files.get(pathOf(from, name));
    if (file === undefined) throw new Error(`the file ${name} does not exist`);
    if (!this.has(to, name)) this.put(to, name, file.sha256, file.at);
  }

  remove(key: AttemptKey, name: string): void {
    this.#files.delete(pathOf(key, name));
  }

  async removeOrphans(counts: (key: AttemptKey, name: string) => Promise<boolean>): Promise<void> {
    for (const { key, name } of [...this.#files.values()]) if (!(await counts(key, name))) this.remove(key, name);
  }

  /** Loses the files that were stored at or after the given time, for a planted bug. */
  loseSince(at: number): void {
    this.#removeWhere((file) => file.at >= at);
  }

  #removeWhere(which: (file: StoredFile) => boolean): void {
    for (const [path, file] of this.#files) if (which(file)) this.#files.delete(path);
  }
}

function pathOf({ sweepId, trialId, attempt }: AttemptKey, name: string): string {
  return `${sweepId}/${trialId}/${attempt}/${name}`;
}
