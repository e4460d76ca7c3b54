/** The lines of a program -> reports and checkpoints of its attempt. */
import { setTimeout as sleep } from 'node:timers/promises';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import { keepCheckpoint } from './checkpoint.ts';
import type { Folders } from './folders.ts';
import type { AttemptLog } from './log.ts';
import { EXAMPLE_LINE, meaningOf } from './metric-line.ts';

/**
 * At most 1,000 reports a second: after every hundredth a tenth of a second passes. The program is not held up before
 * the pipe to it is full, and no more waits in memory than the pipe holds.
 */
export const REPORTS_A_BREATH = 100;
export const BREATH_MS = 100;

type Run = Pick<TrainingRun, 'report' | 'keep' | 'resume' | 'checkpointEvery'>;

export class Reports {
  readonly #run: Run;
  readonly #folders: Folders;
  readonly #log: AttemptLog;
  /** The last one reported; before that, the one gone on from. */
  #epoch: number;
  #count = 0;
  #toldOfIgnored = false;
  /** Lines come from two sides, and are taken one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(run: Run, folders: Folders, log: AttemptLog) {
    this.#run = run;
    this.#folders = folders;
    this.#log = log;
    this.#epoch = run.resume?.epoch ?? 0;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * @returns whether the line was a report or a checkpoint
   * @throws {TrainingError} `rejected` when it was meant to be one, and cannot be
   */
  take(line: string): Promise<boolean> {
    const taken = this.#turn.then(() => this.#take(line));
    this.#turn = taken.catch(() => {});
    return taken;
  }

  async #take(line: string): Promise<boolean> {
    const meaning = meaningOf(line);
    switch (meaning.kind) {
      case 'text':
        return false;
      case 'wrong':
        throw rejected(line, meaning.message);
      case 'metrics':
        this.#report(line, meaning.epoch ?? this.#epoch + 1, meaning.metrics);
        this.#tellOfIgnored(meaning.ignored);
        if (this.#count % REPORTS_A_BREATH === 0) await sleep(BREATH_MS);
        return true;
      case 'checkpoint': {
        const epoch = meaning.epoch ?? this.#epoch;
        if (epoch < 1 || epoch > this.#epoch) {
          throw rejected(line, 'a checkpoint comes after the metrics of its epoch; print those first');
        }
        if (this.#run.checkpointEvery > 0) {
          await keepCheckpoint(this.#run, this.#folders, { epoch, path: meaning.path }, this.#log);
        }
        return true;
      }
    }
  }

  #report(line: string, epoch: number, metrics: Readonly<Record<string, number>>): void {
    if (epoch <= this.#epoch) {
      const resumed = this.#count === 0 ? `, and this attempt goes on after epoch ${this.#epoch}` : '';
      throw rejected(line, `epochs must rise: epoch ${epoch} came after epoch ${this.#epoch}${resumed}`);
    }
    this.#epoch = epoch;
    this.#count += 1;
    this.#run.report(epoch, metrics);
  }

  #tellOfIgnored(names: readonly string[]): void {
    if (names.length === 0 || this.#toldOfIgnored) return;
    this.#toldOfIgnored = true;
    this.#log.note(
      `metrics are numbers: ${names.map((name) => JSON.stringify(name)).join(', ')} left out, here and later`,
    );
  }
}

/** Characters of a line that a message repeats. */
const MAX_SHOWN = 200;

function rejected(line: string, message: string): TrainingError {
  const shown = line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
  return new TrainingError('rejected', `${message} (in the line ${shown}; a report is a line such as ${EXAMPLE_LINE})`);
}
