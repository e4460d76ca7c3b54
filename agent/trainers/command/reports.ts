/** Turns the lines of a program's output into reports and checkpoints of its attempt. */
import { setTimeout as sleep } from 'node:timers/promises';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import type { ProgramFolders } from './invocation.ts';
import { keepCheckpoint } from './kept-files.ts';
import { EXAMPLE_LINE, parseLine } from './metric-line.ts';
import type { AttemptLog } from './output.ts';

/**
 * Limits reports to 1,000 per second, with a pause after each batch. The program blocks only when its pipe is full, and
 * no more than a pipe's content waits in memory.
 */
const REPORTS_PER_BATCH = 100;
const BATCH_PAUSE_MS = 100;

type ReportingRun = Pick<TrainingRun, 'report' | 'keep' | 'resume' | 'checkpointEvery'>;

export class Reports {
  readonly #run: ReportingRun;
  readonly #folders: ProgramFolders;
  readonly #log: AttemptLog;
  /** The last reported epoch; before the first report, the epoch that the attempt resumes from. */
  #epoch: number;
  #count = 0;
  #hasNotedIgnored = false;
  /** Serializes the lines of stdout and of the metrics file. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(run: ReportingRun, folders: ProgramFolders, log: AttemptLog) {
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
   * @throws {TrainingError} `rejected` for an invalid report or checkpoint
   */
  take(line: string): Promise<boolean> {
    const taken = this.#queue.then(() => this.#take(line));
    this.#queue = taken.catch(() => {});
    return taken;
  }

  async #take(line: string): Promise<boolean> {
    const parsed = parseLine(line);
    switch (parsed.kind) {
      case 'text':
        return false;
      case 'invalid':
        throw rejected(line, parsed.message);
      case 'metrics':
        this.#report(line, parsed.epoch ?? this.#epoch + 1, parsed.metrics);
        this.#noteIgnored(parsed.ignored);
        if (this.#count % REPORTS_PER_BATCH === 0) await sleep(BATCH_PAUSE_MS);
        return true;
      case 'checkpoint': {
        const epoch = parsed.epoch ?? this.#epoch;
        if (epoch < 1 || epoch > this.#epoch) {
          throw rejected(line, 'a checkpoint must follow the metrics of its epoch');
        }
        if (this.#run.checkpointEvery > 0) {
          await keepCheckpoint(this.#run, this.#folders, { epoch, path: parsed.path }, this.#log);
        }
        return true;
      }
    }
  }

  #report(line: string, epoch: number, metrics: Readonly<Record<string, number>>): void {
    if (epoch <= this.#epoch) {
      const resumed = this.#count === 0 ? `, from which this attempt resumes` : '';
      throw rejected(line, `epochs must increase: epoch ${epoch} follows epoch ${this.#epoch}${resumed}`);
    }
    this.#epoch = epoch;
    this.#count += 1;
    this.#run.report(epoch, metrics);
  }

  #noteIgnored(names: readonly string[]): void {
    if (names.length === 0 || this.#hasNotedIgnored) return;
    this.#hasNotedIgnored = true;
    this.#log.note(
      `ignored values that are not numbers, here and in later reports: ${names.map((name) => JSON.stringify(name)).join(', ')}`,
    );
  }
}

/** Maximum characters of a line that a message quotes. */
const MAX_QUOTE = 200;

function rejected(line: string, message: string): TrainingError {
  const quote = line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE)}…` : line;
  return new TrainingError('rejected', `${message} (in the line ${quote}; expected, for example: ${EXAMPLE_LINE})`);
}
