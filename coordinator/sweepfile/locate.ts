/** Plain data that remembers where in the text each piece of it stands. */
import type { Problem } from './problems.ts';

/** Keys of mappings and indexes of lists, from the top. */
export type Path = readonly (string | number)[];

/** A piece of the document. Offsets are characters from the start of the text. */
export interface Located {
  readonly data: unknown;
  readonly offset: number;
  /** Where the piece's key stands, when it is the value of one. */
  readonly keyOffset: number | undefined;
  readonly entries: ReadonlyMap<string | number, Located>;
}

/** The piece at a path; when the path leads nowhere, the deepest piece on the way. */
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

/** Gathers problems by path, so that a file's problems are told all at once. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly #root: Located;
  readonly #placeOf: (offset: number) => { line: number; column: number };

  constructor(root: Located, placeOf: (offset: number) => { line: number; column: number }) {
    this.#root = root;
    this.#placeOf = placeOf;
  }

  /** Points at the value of the path. */
  atValue(path: Path, message: string): void {
    this.problems.push({ ...this.#placeOf(locate(this.#root, path).offset), message });
  }

  /** Points at the key that the path ends in. */
  atKey(path: Path, message: string): void {
    const { keyOffset, offset } = locate(this.#root, path);
    this.problems.push({ ...this.#placeOf(keyOffset ?? offset), message });
  }

  /** `line:column` of a value, to mention in a message about another place. */
  where(path: Path): string {
    const { line, column } = this.#placeOf(locate(this.#root, path).offset);
    return `${line}:${column}`;
  }
}
