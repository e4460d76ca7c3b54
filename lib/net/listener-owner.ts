/** Finds out which users' processes listen on a TCP port of this machine. */
import { readFileSync } from 'node:fs';

const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const LISTENING = '0A';
/** Indexes of the columns of a table: the local address, the state and the user. */
const [LOCAL, STATE, USER] = [1, 3, 7];

/**
 * Returns the ids of the users whose processes listen on a port of any local address. Undefined if the system does not
 * report these users. Only Linux reports them.
 */
export function listenerOwners(port: number): ReadonlySet<number> | undefined {
  const tables = TABLES.flatMap((path) => {
    try {
      return [readFileSync(path, 'utf8')];
    } catch {
      return [];
    }
  });
  return tables.length === 0 ? undefined : ownersIn(tables.join('\n'), port);
}

/** @param table the lines of /proc/net/tcp or /proc/net/tcp6 */
function ownersIn(table: string, port: number): ReadonlySet<number> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return new Set(
    table
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[STATE] === LISTENING && columns[LOCAL]?.endsWith(suffix))
      .map((columns) => Number(columns[USER])),
  );
}
