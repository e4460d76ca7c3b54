/**
 * Finds every process that a program started, by a marker in their environment, including processes in their own sessions and
 * those whose parent has exited. A process that clears its environment and detaches is not found. Linux only: on other systems,
 * only the program's process group is known.
 */
import { readdir, readFile } from 'node:fs/promises';

/** The environment variable that marks the processes of one attempt. */
export const MARKER = 'TRAWL_PROCESSES';

/** Returns the ids of the running processes with this marker. */
export async function markedProcesses(marker: string): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const wanted = Buffer.from(`${MARKER}=${marker}\0`);
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        // Processes of other users cannot be read, and processes end meanwhile.
        const environment = await readFile(`/proc/${pid}/environ`).catch(() => undefined);
        return environment?.includes(wanted) ? [Number(pid)] : [];
      }),
  );
  return found.flat();
}

/** Sends a signal to the processes with this marker. @returns whether there are any */
export async function signalMarked(marker: string, signal: NodeJS.Signals): Promise<boolean> {
  const pids = await markedProcesses(marker);
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // The process has ended since.
    }
  }
  return pids.length > 0;
}
