/**
 * Manages the user's runtime folders. Each has one file per coordinator that this user runs on this machine. The name
 * of the file is the address of the coordinator. Clients on the same machine read the file to find the URL of the
 * coordinator's NATS server and the path of the coordinator's data folder. The data folder contains the coordinator's
 * token.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { type Address, isLoopback } from '../net/address.ts';
import { claimPrivateFolder, PRIVATE_FILE } from './private-files.ts';
import { isAlive } from './process-identity.ts';
import { writeDurablySync } from './write-durably.ts';

const entry = z.object({
  /** The coordinator's data folder, an absolute path. */
  dir: z.string(),
  pid: z.number().int().positive(),
  /** The URL of the coordinator's NATS server, including the password. */
  nats: z.string(),
});

export type LocalCoordinator = Readonly<z.infer<typeof entry>>;

/**
 * Returns the runtime folders, the preferred folder first. The system removes `$XDG_RUNTIME_DIR` when the user's last
 * session ends, so there is a second runtime folder below `$XDG_STATE_HOME`. The path of the second folder contains the
 * host name, because machines can share a home folder.
 */
function runtimeFolders(): string[] {
  const { XDG_RUNTIME_DIR, XDG_STATE_HOME } = process.env;
  const state = join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'trawl', 'run', hostname());
  return XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, 'trawl'), state] : [state];
}

const fileName = ({ host, port }: Address) => `${host === 'localhost' ? '127.0.0.1' : host}:${port}.json`;

/**
 * Writes the file of this coordinator to every runtime folder, and removes the files of coordinators whose process has
 * ended.
 * @returns an empty list if the file could be written to at least one folder; else the error of each folder
 */
export function announceCoordinator(address: Address, { dir, nats }: { dir: string; nats: string }): unknown[] {
  const content: LocalCoordinator = { dir: resolve(dir), pid: process.pid, nats };
  const problems: unknown[] = [];
  let written = 0;
  for (const folder of runtimeFolders()) {
    try {
      claimPrivateFolder(folder);
      removeDead(folder);
      writeDurablySync(join(folder, fileName(address)), `${JSON.stringify(content)}\n`, PRIVATE_FILE);
      written += 1;
    } catch (error) {
      problems.push(error);
    }
  }
  return written > 0 ? [] : problems;
}

/** Removes the file of this process from the runtime folders. */
export function withdrawCoordinator(address: Address): void {
  for (const folder of runtimeFolders()) {
    const path = join(folder, fileName(address));
    if (readEntry(path)?.pid === process.pid) rmSync(path, { force: true });
  }
}

/**
 * Returns the coordinator that this user runs at a loopback address, according to its file in a runtime folder. The
 * coordinator may have ended without removing its file. Runtime folders that other users own or can write to are
 * ignored.
 */
export function findLocalCoordinator(address: Address): LocalCoordinator | undefined {
  if (!isLoopback(address)) return undefined;
  for (const folder of runtimeFolders()) {
    const found = isOwn(folder) ? readEntry(join(folder, fileName(address))) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function removeDead(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const found = name.endsWith('.json') ? readEntry(path) : undefined;
    if (found !== undefined && !isAlive(found.pid)) rmSync(path, { force: true });
  }
}

function readEntry(path: string): LocalCoordinator | undefined {
  try {
    return entry.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

function isOwn(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && (found.mode & 0o022) === 0 && found.uid === (process.geteuid?.() ?? found.uid);
}
