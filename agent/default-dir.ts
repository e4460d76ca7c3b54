import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where an agent keeps its name and its spool. */
export function defaultAgentDir(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'trawl', 'agent');
}
