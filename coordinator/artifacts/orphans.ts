/**
 * Stores sets of orphans. Orphans are files that no record in the store named when the coordinator started. At its
 * start, the coordinator moves orphans to orphans/DATE/ in its folder, where they keep their relative paths. Only
 * `prune` removes orphans.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The name of the folder of orphans, inside the coordinator's folder. */
export const ORPHANS_FOLDER = 'orphans';

export interface OrphanSet {
  /**
   * The name of the set's folder. The name begins with the time at which the files were moved. A set of objects in a
   * remote store has the location of the objects as its name.
   */
  readonly name: string;
  readonly files: number;
  /** The total size of the files in the set, in bytes. */
  readonly bytes: number;
}

/**
 * Returns the name of a set of orphans that are moved at the time `at`. `number` distinguishes the sets that are moved
 * in the same millisecond.
 */
export function orphanSetName(at: number, number: number): string {
  const time = new Date(at).toISOString().replaceAll(':', '-');
  return number === 1 ? time : `${time}-${number}`;
}

/**
 * Returns the time in the name of a set of orphans, in Unix milliseconds. Undefined for any other name.
 */
export function orphanSetTime(name: string): number | undefined {
  const [, date, hours, minutes, seconds] =
    /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})Z(?:-\d+)?$/.exec(name) ?? [];
  const at = Date.parse(`${date}T${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(at) ? undefined : at;
}

/**
 * Moves files to a new set of orphans. The move never overwrites a file, because no other set has the same name.
 * @param dir the coordinator's folder
 * @param paths the paths of the files, relative to `dir`
 * @param at the time of the move in Unix milliseconds
 */
export async function moveToOrphans(dir: string, paths: readonly string[], at: number): Promise<void> {
  if (paths.length === 0) return;
  const set = await createSet(join(dir, ORPHANS_FOLDER), at);
  for (const path of paths) {
    const target = join(set, path);
    await mkdir(dirname(target), { recursive: true });
    await rename(join(dir, path), target);
  }
}

async function createSet(root: string, at: number): Promise<string> {
  await mkdir(root, { recursive: true });
  for (let number = 1; ; number++) {
    const set = join(root, orphanSetName(at, number));
    try {
      await mkdir(set);
      return set;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

/** Returns the sets of orphans, oldest first. */
export async function orphanSets(dir: string): Promise<OrphanSet[]> {
  const root = join(dir, ORPHANS_FOLDER);
  const names = (await readdir(root).catch(() => [])).filter((name) => orphanSetTime(name) !== undefined).sort();
  return Promise.all(names.map((name) => measure(root, name)));
}

async function measure(root: string, name: string): Promise<OrphanSet> {
  let files = 0;
  let bytes = 0;
  for (const entry of await readdir(join(root, name), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return { name, files, bytes };
}

/**
 * Removes the sets of orphans that were moved at or before `before`, in Unix milliseconds.
 * @param dryRun whether the sets are only returned, not removed
 * @returns the sets that were removed, or that would be removed without `dryRun`
 */
export async function removeOrphanSets(dir: string, before: number, dryRun: boolean): Promise<OrphanSet[]> {
  const old = (await orphanSets(dir)).filter(({ name }) => (orphanSetTime(name) ?? before) <= before);
  if (!dryRun) for (const { name } of old) await rm(join(dir, ORPHANS_FOLDER, name), { recursive: true, force: true });
  return old;
}
