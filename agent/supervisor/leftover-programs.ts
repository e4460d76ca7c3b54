/**
 * Ends the programs of dead workers. Usually a program's guard process ends the program (see
 * trainers/command/guard.ts), but the guard can be killed too. Each program has a marker in its environment (see
 * trainers/command/processes.ts), of the form FOLDER.RUN.WORKER.GUARD.NUMBER. RUN identifies one process of the agent,
 * and NUMBER counts the programs of one guard.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { endMarked, MARKER } from '../trainers/command/processes.ts';
import { STOP_GRACE_S } from '../trainers/command/program.ts';

const GRACE_MS = STOP_GRACE_S * 1000;

export class LeftoverPrograms {
  readonly #log: Logger;
  readonly #folder: string;
  readonly #run: string;

  /** @param location identifies the agent's folder; only one agent uses a folder at a time */
  constructor(location: string, log: Logger) {
    this.#log = log;
    this.#folder = `${location}.`;
    this.#run = `${this.#folder}${randomBytes(8).toString('hex')}.`;
  }

  /** Returns the common prefix of the markers of a new worker's programs. */
  markerOfWorker(): string {
    return `${this.#run}${randomBytes(8).toString('hex')}.`;
  }

  /** Ends the programs of earlier agent processes that used the same folder. */
  async endEarlier(): Promise<void> {
    // If this agent was started by a program of an earlier agent process, that program must not be ended.
    if (process.env[MARKER]?.startsWith(this.#folder) === true) return;
    await this.#end((marker) => marker.startsWith(this.#folder) && !marker.startsWith(this.#run));
  }

  /** Ends the programs of a worker that has exited. */
  async endOf(markerOfWorker: string): Promise<void> {
    await this.#end((marker) => marker.startsWith(markerOfWorker));
  }

  async #end(accepts: (marker: string) => boolean): Promise<void> {
    const processes = await endMarked({ accepts }, GRACE_MS);
    if (processes > 0) this.#log.warn({ processes }, 'ended processes of programs whose worker is dead');
  }
}
