/** What is wrong with a sweep file, and where. */
import { BadInputError } from '../../proto/errors.ts';

/** Counted from 1; a column is a UTF-16 code unit, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Place {
  readonly message: string;
}

/** The most problems that one error lists; the rest are counted. */
export const MAX_PROBLEMS = 20;

export const START: Place = { line: 1, column: 1 };

/** A sweep file that cannot be taken: all its problems in the file's order, one a line of the message. */
export class SweepFileError extends BadInputError {
  readonly fileName: string;
  readonly problems: readonly Problem[];

  constructor(fileName: string, problems: readonly Problem[]) {
    const sorted = distinct(problems).sort((a, b) => a.line - b.line || a.column - b.column);
    const lines = sorted
      .slice(0, MAX_PROBLEMS)
      .map(({ line, column, message }) => `${fileName}:${line}:${column}: ${message}`);
    if (sorted.length > MAX_PROBLEMS) lines.push(`${fileName}: and ${sorted.length - MAX_PROBLEMS} more problems`);
    super(lines.join('\n'));
    this.fileName = fileName;
    this.problems = sorted;
  }
}

function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [`${one.line}:${one.column}:${one.message}`, one])).values()];
}
