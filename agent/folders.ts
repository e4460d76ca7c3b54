/** Builds the paths of the agent's folder and of the folders of its attempts. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import type { AttemptKey } from '../lib/domain/attempt-key.ts';

/**
 * Returns the default folder for an agent's id and spool: `$XDG_STATE_HOME/trawl/agent` or
 * `~/.local/state/trawl/agent`.
 */
export function defaultAgentDir(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'trawl', 'agent');
}

/** Returns the folder that contains one folder per attempt. */
export function attemptsFolder(agentDir: string): string {
  return join(agentDir, 'attempts');
}

export function attemptFolder(agentDir: string, { sweepId, trialId, attempt }: AttemptKey): string {
  return join(attemptsFolder(agentDir), `${sweepId}-${trialId}-${attempt}`);
}

/** Returns the trainer's working folder, which is inside the attempt's folder. */
export function workFolder(folder: string): string {
  return join(folder, 'work');
}

/** Returns the path of a kept artifact. The file stays at this path until the coordinator has stored it. */
export function keptFile(folder: string, name: string): string {
  return join(folder, 'kept', name);
}

/** Returns the path of the attempt's own link to its code archive. */
export function codeFile(folder: string): string {
  return join(folder, 'code.tar');
}

/** Returns the path of the checkpoint that the attempt resumes from. */
export function resumeFile(folder: string): string {
  return join(folder, 'resume');
}
