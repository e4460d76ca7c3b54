/** The folder of one attempt on its agent's disk. */
import { join } from 'node:path';
import type { AttemptName } from './trainers/trainer.ts';

/** Holds a folder for each attempt. */
export function attemptsFolder(agentDir: string): string {
  return join(agentDir, 'attempts');
}

export function attemptFolder(agentDir: string, { sweepId, trialId, attempt }: AttemptName): string {
  return join(attemptsFolder(agentDir), `${sweepId}-${trialId}-${attempt}`);
}

/** The trainer's own. */
export function workFolder(folder: string): string {
  return join(folder, 'work');
}

/** An artifact that is kept, until the coordinator has it. */
export function keptFile(folder: string, name: string): string {
  return join(folder, 'kept', name);
}

/** The checkpoint that the attempt goes on from. */
export function resumeFile(folder: string): string {
  return join(folder, 'resume');
}
