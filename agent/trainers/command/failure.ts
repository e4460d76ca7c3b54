/** How a program's end tells that it failed. */
import { constants } from 'node:os';
import { TrainingError } from '../trainer.ts';
import type { Exit } from './program.ts';

/** Characters of stderr that a failure's message ends with. */
const MAX_LAST_WORDS = 3_000;
const MAX_LAST_LINES = 20;

/** The end of what a program writes to stderr. */
export class LastWords {
  #text = '';

  add(text: string): void {
    this.#text = (this.#text + text).slice(-MAX_LAST_WORDS);
  }

  get text(): string {
    return this.#text.trimEnd().split('\n').slice(-MAX_LAST_LINES).join('\n').trimStart();
  }
}

/** @returns undefined when it succeeded */
export function failureOf(
  { code, signal }: Exit,
  said: { name: string; lastWords: string },
): TrainingError | undefined {
  if (code === 0) return undefined;
  const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
  // A shell says 128 + number for what it started.
  const killed = signal === 'SIGKILL' || code === 128 + constants.signals.SIGKILL;
  const memory = killed ? '; the system does that when memory runs out' : '';
  const words =
    said.lastWords === '' ? ', and wrote nothing to stderr' : `; its last lines on stderr:\n${said.lastWords}`;
  return new TrainingError('crash', `${said.name} ${how}${memory}${words}`);
}
