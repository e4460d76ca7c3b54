/** The attempt's log: what the worker prints, which the supervisor sends on. */

export interface AttemptLog {
  /** What the program printed. */
  text(text: string): void;
  /** A line of ours. */
  note(line: string): void;
}

export const workerLog: AttemptLog = {
  text: (text) => void process.stdout.write(text),
  note: (line) => void process.stdout.write(`[trawl] ${line}\n`),
};
