/** Collects the problems of a sweep file with their positions in the text. */
import { BadInputError } from '../../proto/errors.ts';

/** A position. Lines and columns count from 1. A column counts UTF-16 code units, as in editors. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

export interface Problem extends TextPosition {
  readonly message: string;
}

/** The maximum number of problems that an error lists. Further problems are only counted. */
export const MAX_PROBLEMS = 20;

export const START: TextPosition = { line: 1, column: 1 };

/** An invalid sweep file. The message has one line per problem, in the order of the file. */
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

/** The maximum size of a sweep file, in bytes. */
export const MAX_SWEEP_FILE_BYTES = 1 << 20;

export class SweepFileTooLargeError extends SweepFileError {
  /** @param size the size, such as `over 1,048,576 bytes` */
  constructor(fileName: string, size: string) {
    const message =
      `the file has ${size}, more than the limit of ${MAX_SWEEP_FILE_BYTES.toLocaleString('en')} (1 MiB). ` +
      'Is this a sweep file? Long lists of values can be written as "min", "max" and "step"';
    super(fileName, [{ ...START, message }]);
  }
}

function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [`${one.line}:${one.column}:${one.message}`, one])).values()];
}

/** The keys and list indexes that lead from the top of the document to a value. */
export type Path = readonly (string | number)[];

/** A value of the document and its position. The offsets count characters from the start of the text. */
export interface Located {
  readonly data: unknown;
  readonly offset: number;
  /** The offset of the value's key. Undefined for a list item and for the whole document. */
  readonly keyOffset: number | undefined;
  readonly entries: ReadonlyMap<string | number, Located>;
  /** The notation of the value in the file. Set only for numbers, including numbers that are not finite (`.inf`). */
  readonly source?: string | undefined;
}

/** Returns the value at a path or, if the path does not exist, the deepest existing value along the path. */
export function locate(root: Located, path: Path): Located {
  let here = root;
  for (const step of path) {
    const next = here.entries.get(step);
    if (next === undefined) return here;
    here = next;
  }
  return here;
}

export function has(root: Located, path: Path): boolean {
  return path.length === 0 || locate(root, path.slice(0, -1)).entries.has(path[path.length - 1] ?? '');
}

/** Collects the problems of a file, so that all of them are reported together. */
export class Findings {
  readonly problems: Problem[] = [];
  /**
   * Problems of a file that is rejected as a new sweep, but accepted as a stored sweep: an `early_terminate` that can
   * stop no trial, a `run_cap` below the number of replicates, and distributions whose values cannot be drawn.
   */
  readonly mistakes: Problem[] = [];
  readonly root: Located;
  readonly #placeOf: (offset: number) => TextPosition;

  constructor(root: Located, placeOf: (offset: number) => TextPosition) {
    this.root = root;
    this.#placeOf = placeOf;
  }

  /** Adds a problem to `problems`, at the position of the value at a path. */
  atValue(path: Path, message: string): void {
    this.problems.push({ ...this.#placeOf(locate(this.root, path).offset), message });
  }

  /** Adds a problem to `mistakes`, at the position of the value at a path. */
  mistakeAtValue(path: Path, message: string): void {
    this.mistakes.push({ ...this.#placeOf(locate(this.root, path).offset), message });
  }

  /** Adds a problem to `problems`, at the position of the last key of a path. */
  atKey(path: Path, message: string): void {
    this.problems.push(this.#atKey(path, message));
  }

  /** Adds a problem to `mistakes`, at the position of the last key of a path. */
  mistakeAtKey(path: Path, message: string): void {
    this.mistakes.push(this.#atKey(path, message));
  }

  #atKey(path: Path, message: string): Problem {
    const { keyOffset, offset } = locate(this.root, path);
    return { ...this.#placeOf(keyOffset ?? offset), message };
  }

  /** Returns the position of a value as `line:column`, for messages that refer to the value. */
  where(path: Path): string {
    const { line, column } = this.#placeOf(locate(this.root, path).offset);
    return `${line}:${column}`;
  }
}
