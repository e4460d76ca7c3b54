/** Reads the scalars of TensorBoard's event files in a folder while a program writes them. */
import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { fileId, GrowingFile } from './growing-file.ts';
import { EventFileReader, type Scalar } from './report/event-file.ts';
import { RunNames } from './report/run-names.ts';
import type { Reports } from './reports.ts';
import type { FileSource } from './sources.ts';

const MAX_FILES = 1_000;
const MAX_DEPTH = 32;
/** The pause between two listings of the folders is at least this many times as long as the previous listing. */
const LIST_SHARE = 10;

interface Found {
  /** The path of the file, relative to the source's folder; empty if the source is a single file. */
  readonly name: string;
  readonly stats: Stats;
}

interface Followed {
  name: string;
  readonly file: GrowingFile;
  reader: EventFileReader;
  /** The number of bytes that the file had before the program's start. The scalars in these bytes are not reported. */
  skip: number;
  /** The size, the modification time and the change time of the file at the last read. */
  seen: string;
}

/**
 * Follows a single event file, or the event files in a folder and its subfolders. Links are followed. Content from
 * before the program's start is skipped.
 */
export async function eventFiles(
  folder: string,
  receiver: Pick<Reports, 'takeStep' | 'note' | 'onDamagedRecord'>,
): Promise<FileSource> {
  const earlier = new Map((await listed(folder)).found.map((each) => [fileId(each.stats), each]));
  const names = new RunNames();
  const files = new Map<string, Followed>();
  let listedAt = 0;
  let listingMs = 0;
  let problem: string | undefined;

  const readerOf = (name: string) =>
    new EventFileReader((problem) => receiver.onDamagedRecord(join(folder, name), problem));

  const follow = (id: string, { name, stats }: Found): Followed | undefined => {
    if (files.size >= MAX_FILES) {
      receiver.note('event-files', `more than ${MAX_FILES} event files in ${folder}: further files are not read`);
      return undefined;
    }
    const before = earlier.get(id);
    const skip = before?.name === name && before.stats.size < stats.size ? before.stats.size : 0;
    const followed = { name, file: new GrowingFile(join(folder, name)), reader: readerOf(name), skip, seen: '' };
    files.set(id, followed);
    return followed;
  };

  const read = async (id: string, found: Found) => {
    const { stats } = found;
    let followed = files.get(id);
    const seen = `${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    if (followed?.seen === seen) return;
    const before = earlier.get(id);
    if (followed === undefined && before !== undefined && isUntouched(before, found)) return;
    followed ??= follow(id, found);
    if (followed === undefined) return;
    followed.seen = seen;
    for await (const added of followed.file.added(join(folder, found.name))) {
      if (added.kind === 'restart') {
        // The path can refer to a new file that has the inode number of a removed file.
        followed.name = found.name;
        followed.reader = readerOf(found.name);
        followed.skip = 0;
        continue;
      }
      const run = runOf(followed.name);
      const start = followed.file.at - added.bytes.length;
      const skipped = Math.min(Math.max(0, followed.skip - start), added.bytes.length);
      followed.reader.push(added.bytes.subarray(0, skipped));
      for (const [step, values] of byStep(followed.reader.push(added.bytes.subarray(skipped)))) {
        await receiver.takeStep(step, new Map(values.map(({ tag, value }) => [names.metricName(run, tag), value])));
      }
    }
    await followed.file.close();
  };

  const poll = async (isLast: boolean) => {
    const now = performance.now();
    if (!isLast && now - listedAt < listingMs * LIST_SHARE) return;
    const list = await listed(folder);
    listedAt = performance.now();
    listingMs = listedAt - now;
    problem = list.found.length === 0 ? (list.problem ?? 'it contains none') : undefined;
    for (const found of list.found) await read(fileId(found.stats), found);
  };

  return {
    poll: () => poll(false),
    close: async () => {
      for (const { file } of files.values()) await file.close();
    },
    end: async () => {
      await poll(true);
      if (files.size > 0) return undefined;
      return `no event files in ${folder}: ${problem ?? 'the program wrote none'}`;
    },
  };
}

/** Whether a file seems unchanged since the program's start. A file that was only renamed counts as unchanged. */
function isUntouched({ stats: before }: Found, { stats }: Found): boolean {
  return before.size === stats.size && before.mtimeMs === stats.mtimeMs;
}

/** Returns the folder of an event file, with `/` between folders. */
function runOf(file: string): string {
  const folder = dirname(file);
  return folder === '.' ? '' : folder.split(sep).join('/');
}

/** Returns the scalars of each step, in file order. */
function byStep(scalars: readonly Scalar[]): Map<number, Scalar[]> {
  const steps = new Map<number, Scalar[]>();
  for (const scalar of scalars) {
    const known = steps.get(scalar.step);
    if (known === undefined) steps.set(scalar.step, [scalar]);
    else known.push(scalar);
  }
  return steps;
}

/**
 * Returns the event files in a folder, in the order of their names. Files that are only reachable through links come
 * last.
 */
async function listed(folder: string): Promise<{ readonly found: readonly Found[]; readonly problem?: string }> {
  const found = new Map<string, Found>();
  const visited = new Set<string>();
  const links: string[] = [];
  const add = async (name: string, stats: Stats | undefined) => {
    if (stats?.isFile() && isEventFile(name)) {
      const id = fileId(stats);
      if (!found.has(id)) found.set(id, { name, stats });
    } else if (stats?.isDirectory()) await visit(name, stats);
  };
  const visit = async (name: string, stats: Stats) => {
    if (visited.has(fileId(stats)) || name.split(sep).length > MAX_DEPTH) return;
    visited.add(fileId(stats));
    // A folder can be unreadable, or can be removed during the listing. The other folders are still read.
    const entries = await readdir(join(folder, name), { withFileTypes: true }).catch((): Dirent[] => []);
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(name, entry.name);
      if (entry.isSymbolicLink()) links.push(path);
      else if (entry.isDirectory() || isEventFile(path)) await add(path, await statOf(join(folder, path)));
    }
  };
  const top = await statOf(folder);
  if (top === undefined) return { found: [], problem: 'no such folder' };
  if (top.isFile()) return { found: [{ name: '', stats: top }] };
  await visit('', top);
  for (const link of links) await add(link, await statOf(join(folder, link)));
  return { found: [...found].map(([, each]) => each) };
}

function isEventFile(name: string): boolean {
  return basename(name).includes('tfevents');
}

async function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}
