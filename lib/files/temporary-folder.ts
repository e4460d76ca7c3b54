/**
 * Creates temporary folders that do not outlive their process: a folder is removed when the process exits, or when
 * SIGTERM or SIGHUP ends the process. If a process is killed, its folder is removed later, when another process creates
 * a folder for the same purpose.
 */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasEnded, processIdentity } from './process-identity.ts';

/** The signals that end a process without an `exit` event. SIGINT is not listed, because the commands handle it. */
const SIGNALS = ['SIGTERM', 'SIGHUP'] as const;

const folders = new Set<string>();
let isWatching = false;

export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

/**
 * Creates a folder that only this user can read.
 * @param purpose a part of the folder's name, such as `migrate`
 */
export function createTemporaryFolder(purpose: string): TemporaryFolder {
  const prefix = `trawl-${purpose}-`;
  removeLeftovers(prefix);
  watchEnd();
  const path = mkdtempSync(join(tmpdir(), `${prefix}${processIdentity()}-`));
  folders.add(path);
  return {
    path,
    remove() {
      folders.delete(path);
      removeFolder(path);
    },
  };
}

/** Removes the folders of this user's processes that have certainly ended. */
function removeLeftovers(prefix: string): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const identity = name.slice(prefix.length, name.lastIndexOf('-'));
    if (!hasEnded(identity)) continue;
    const path = join(tmpdir(), name);
    try {
      const found = lstatSync(path);
      if (found.isDirectory() && found.uid === process.geteuid?.()) removeFolder(path);
    } catch {
      // Another process has removed the folder, or a later process will remove it.
    }
  }
}

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

function removeAll(): void {
  for (const path of folders) {
    try {
      removeFolder(path);
    } catch {
      // A later process removes the folder.
    }
  }
}

function watchEnd(): void {
  if (isWatching) return;
  isWatching = true;
  process.on('exit', removeAll);
  for (const signal of SIGNALS) {
    const listener = () => {
      // If there are other listeners, they decide when the process ends.
      if (process.listenerCount(signal) > 1) return;
      removeAll();
      process.off(signal, listener);
      process.kill(process.pid, signal);
    };
    process.on(signal, listener);
  }
}
