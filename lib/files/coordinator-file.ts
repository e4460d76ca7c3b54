/**
 * `coordinator.json` in a coordinator's data folder: the addresses and the process of the coordinator that uses the
 * folder.
 */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { PRIVATE_FILE } from './private-files.ts';
import { writeDurablySync } from './write-durably.ts';

const coordinatorFile = z.object({
  /** The HOST:PORT of the gRPC server. */
  address: z.string(),
  /** The HOST:PORT of /metrics and the other operator pages. Empty in the file of an older version. */
  metrics: z.string().default(''),
  pid: z.number().int().positive(),
  /** Whether the gRPC server requires TLS. */
  tls: z.boolean().default(false),
});

/** The name of the store's file in a coordinator's folder. */
export const STORE_FILE = 'store.db';
/** If a coordinator's folder contains a file with this name, the coordinator's store is in PostgreSQL. */
export const POSTGRES_MARK = 'postgres.high-water';
/** If the folder contains a file with this name, `trawl migrate` has moved the folder's own store to another place. */
export const MOVED_FILE = 'moved.json';

/** The maximum size of `coordinator.json` in bytes. A larger file was not written by a coordinator. */
const MAX_BYTES = 64 * 1024;

export type CoordinatorFile = z.infer<typeof coordinatorFile>;

const pathIn = (dir: string) => join(dir, 'coordinator.json');

/** Replaces the file atomically, so that a reader never sees part of it. */
export function writeCoordinatorFile(dir: string, content: CoordinatorFile): void {
  writeDurablySync(pathIn(dir), `${JSON.stringify(content)}\n`, PRIVATE_FILE);
}

/** Returns the content of the file. Undefined if the file is missing, damaged or written by another program. */
export function readCoordinatorFile(dir: string): CoordinatorFile | undefined {
  try {
    const { size } = statSync(pathIn(dir));
    // If the file is a pipe, reading it would block. The size of a pipe is 0.
    if (size === 0 || size > MAX_BYTES) return undefined;
    return coordinatorFile.safeParse(JSON.parse(readFileSync(pathIn(dir), 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Removes the file, if there is one. */
export function removeCoordinatorFile(dir: string): void {
  rmSync(pathIn(dir), { force: true });
}
