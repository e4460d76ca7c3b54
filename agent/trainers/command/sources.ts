/** Reads metrics from files that a program writes: TensorBoard's event files and CSV files. */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { EventFileReader } from './report/event-file.ts';
import { numberOf } from './report/steps.ts';
import type { Reports } from './reports.ts';

const POLL_MS = 300;
const CHUNK_BYTES = 256 * 1024;
const MAX_ROW_BYTES = 1 << 20;
const MAX_FILES = 1_000;

type Receiver = Pick<Reports, 'takeValues' | 'takeStep' | 'onUnreadable'>;

/** A file source. `poll` reads what is new. */
export interface FileSource {
  poll(): Promise<void>;
}

/** Polls a source until the program has ended, and once more after that. */
export async function followSource(source: FileSource, ended: AbortSignal): Promise<void> {
  for (;;) {
    const isLast = ended.aborted;
    await source.poll();
    if (isLast) return;
    await sleep(POLL_MS, undefined, { signal: ended }).catch(() => {});
  }
}

/** Follows the event files in a folder and its subfolders. Files that existed before the program started are skipped. */
export async function eventFiles(folder: string, receiver: Receiver): Promise<FileSource> {
  const earlier = new Set(await eventFilesIn(folder));
  const files = new Map<string, { readonly reader: EventFileReader; at: number }>();
  return {
    poll: async () => {
      for (const name of await eventFilesIn(folder)) {
        if (earlier.has(name) || (!files.has(name) && files.size >= MAX_FILES)) continue;
        const file = files.get(name) ?? { reader: new EventFileReader(), at: 0 };
        files.set(name, file);
        for await (const bytes of bytesFrom(join(folder, name), file.at)) {
          file.at += bytes.length;
          for (const { tag, step, value } of file.reader.push(bytes)) {
            await receiver.takeStep(step, new Map([[tag, value]]));
          }
        }
      }
    },
  };
}

async function eventFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.filter((name) => basename(name).includes('tfevents')).sort();
}

/** Follows a CSV file. A file that shrinks, or whose header changes, is read again from its beginning. */
export async function csvFile(path: string, receiver: Receiver): Promise<FileSource> {
  const earlier = await readFile(path).catch(() => undefined);
  const before = earlier?.subarray(0, MAX_ROW_BYTES);
  let isOwn = earlier === undefined;
  let header: string[] | undefined;
  let headerBytes: Buffer = Buffer.alloc(0);
  let at = 0;
  let rest: Buffer = Buffer.alloc(0);
  let row = 0;
  const restart = () => {
    header = undefined;
    headerBytes = Buffer.alloc(0);
    at = 0;
    row = 0;
    rest = Buffer.alloc(0);
  };
  const takeLine = async (text: string, isEarlier: boolean) => {
    const cells = cellsOf(text);
    if (cells === undefined) {
      receiver.onUnreadable(text, `${basename(path)} contains an invalid row`);
      return;
    }
    if (header === undefined) {
      header = cells;
      return;
    }
    row += 1;
    if (isEarlier) return;
    const values = new Map(header.flatMap((name, index) => (cells[index] ? [[name, cells[index]] as const] : [])));
    const hasStep = numberOf(values.get('epoch') ?? values.get('step')) !== undefined;
    if (hasStep) await receiver.takeValues(values);
    else await receiver.takeStep(row, values);
  };
  return {
    poll: async () => {
      const size = (await stat(path).catch(() => undefined))?.size;
      if (size === undefined) return;
      if (size < at || (header !== undefined && !(await startsWith(path, headerBytes)))) restart();
      // Earlier rows belong to another trial, unless the program has rewritten the file.
      if (!isOwn && before !== undefined && !(await startsWith(path, before))) isOwn = true;
      for await (const bytes of bytesFrom(path, at)) {
        at += bytes.length;
        rest = Buffer.concat([rest, bytes]);
        let start = at - rest.length;
        for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
          const text = rest.subarray(0, end).toString('utf8').replace(/\r$/, '');
          if (header === undefined) headerBytes = Buffer.from(rest.subarray(0, end + 1));
          rest = rest.subarray(end + 1);
          start += end + 1;
          if (text.trim() !== '') await takeLine(text, !isOwn && start <= (earlier?.length ?? 0));
        }
        if (rest.length > MAX_ROW_BYTES) rest = Buffer.alloc(0);
      }
    },
  };
}

function cellsOf(line: string): string[] | undefined {
  try {
    const [cells]: string[][] = parse(line, { bom: true, relax_column_count: true, relax_quotes: true, trim: true });
    return cells;
  } catch {
    return undefined;
  }
}

async function startsWith(path: string, expected: Buffer): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return true;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(expected.length), 0, expected.length, 0);
    return bytesRead === expected.length && buffer.equals(expected);
  } finally {
    await file.close();
  }
}

async function* bytesFrom(path: string, from: number): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return;
  try {
    for (let at = from; ; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
