/**
 * Finds the processes that a program started, by a marker in the environment of each process. The search also finds
 * processes in other sessions, and processes whose parent has exited. The search finds neither processes that have
 * cleared their environment nor processes of other users. The search works on Linux only. On other systems, only the
 * program's process group can be ended.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** The environment variable that marks the processes of one attempt. */
export const MARKER = 'TRAWL_PROCESSES';

const POLL_MS = 100;

/**
 * The maximum number of times that SIGKILL is sent. SIGKILL is repeated, because processes can fork while they are
 * listed.
 */
const MAX_KILLS = 10;

/** Returns the ids of the running processes for whose markers `accepts` returns true. */
async function markedProcesses(accepts: (marker: string) => boolean): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        // Processes of other users cannot be read, and a process can end during the scan.
        const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
        const marker = markerIn(environment);
        return marker !== undefined && accepts(marker) ? [Number(pid)] : [];
      }),
  );
  return found.flat();
}

function markerIn(environment: string): string | undefined {
  const variable = environment.split('\0').find((each) => each.startsWith(`${MARKER}=`));
  return variable?.slice(MARKER.length + 1);
}

/**
 * Sends a signal to the processes for whose markers `accepts` returns true.
 * @returns the number of processes
 */
export async function signalMarked(accepts: (marker: string) => boolean, signal: NodeJS.Signals): Promise<number> {
  const pids = await markedProcesses(accepts);
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // The process has already ended.
    }
  }
  return pids.length;
}

/**
 * Sends SIGTERM to the processes for whose markers `accepts` returns true. After the grace period, sends SIGKILL to
 * those that still run.
 * @returns the number of processes that were found before SIGTERM
 */
export async function endMarked(accepts: (marker: string) => boolean, graceMs: number): Promise<number> {
  const found = await signalMarked(accepts, 'SIGTERM');
  if (found === 0) return 0;
  for (let waited = 0; waited < graceMs; waited += POLL_MS) {
    await sleep(POLL_MS);
    if ((await markedProcesses(accepts)).length === 0) return found;
  }
  for (let kills = 0; kills < MAX_KILLS && (await signalMarked(accepts, 'SIGKILL')) > 0; kills++) await sleep(POLL_MS);
  return found;
}
