/** Where a program finds and leaves its files, below the attempt's own folder. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Folders {
  /** The program's own. */
  readonly own: string;
  readonly artifacts: string;
  /** A file of metric lines, which the program may make. */
  readonly metrics: string;
  /** Where a checkpoint is copied to before it is kept. */
  readonly checkpoint: string;
}

export async function makeFolders(dir: string): Promise<Folders> {
  const folders = {
    own: join(dir, 'program'),
    artifacts: join(dir, 'artifacts'),
    metrics: join(dir, 'metrics.jsonl'),
    checkpoint: join(dir, 'checkpoint'),
  };
  await mkdir(folders.own, { recursive: true });
  await mkdir(folders.artifacts, { recursive: true });
  return folders;
}
