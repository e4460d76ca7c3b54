/** Follows files that a program writes, and reads metrics from TensorBoard's event files. */
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventFileReader } from './report/event-file.ts';
import { RunNames } from './report/run-names.ts';
import type { Reports } from './reports.ts';

const POLL_MS = 300;
const CHUNK_BYTES = 256 * 1024;
const MAX_FILES = 1_000;

export interface FileSource {
  /** Reads the new content. @param isLast whether the program has ended */
  poll(isLast: boolean): Promise<void>;
}

/** Polls a source until the program has ended, and once more after that. */
export async function followSource(source: FileSource, ended: AbortSignal): Promise<void> {
  for (;;) {
    const isLast = ended.aborted;
    await source.poll(isLast);
    if (isLast) return;
    await sleep(POLL_MS, undefined, { signal: ended }).catch(() => {});
  }
}

/** Follows the event files in a folder and its subfolders. Files that existed before the program started are skipped. */
export async function eventFiles(folder: string, receiver: Pick<Reports, 'takeStep'>): Promise<FileSource> {
  const earlier = new Set(await eventFilesIn(folder));
  const names = new RunNames();
  const files = new Map<string, { readonly reader: EventFileReader; at: number }>();
  return {
    poll: async () => {
      for (const name of await eventFilesIn(folder)) {
        if (earlier.has(name) || (!files.has(name) && files.size >= MAX_FILES)) continue;
        const file = files.get(name) ?? { reader: new EventFileReader(), at: 0 };
        files.set(name, file);
        const run = runOf(name);
        for await (const bytes of bytesFrom(join(folder, name), file.at)) {
          file.at += bytes.length;
          for (const { tag, step, value } of file.reader.push(bytes)) {
            await receiver.takeStep(step, new Map([[names.metricName(run, tag), value]]));
          }
        }
      }
    },
  };
}

/** Returns the folder of an event file, with `/` between folders. */
function runOf(file: string): string {
  const folder = dirname(file);
  return folder === '.' ? '' : folder.split(sep).join('/');
}

async function eventFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.filter((name) => basename(name).includes('tfevents')).sort();
}

/** Yields the bytes of a file from an offset to its end; none if there is no such file. */
export async function* bytesFrom(path: string, from: number): AsyncGenerator<Buffer, void, undefined> {
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
