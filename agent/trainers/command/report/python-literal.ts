/**
 * Parses Python literals as `print(dict)` writes them: dicts, lists, tuples, sets, strings, numbers, `True`, `False`,
 * `None`, `nan` and `inf`. NumPy and PyTorch scalars (`np.float64(0.5)`, `tensor(0.5, device='cuda:0')`) are read as
 * numbers. Nothing is evaluated.
 */

const MAX_DEPTH = 32;

const NUMBER = /[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_][A-Za-z0-9_.]*/y;
const STRING_PREFIX = /[bBrRuU]{0,2}(?=['"])/y;
const SPACE = /\s*/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\n': '' };

const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['True', true],
  ['False', false],
  ['None', null],
  ['nan', Number.NaN],
  ['NaN', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['Infinity', Number.POSITIVE_INFINITY],
]);

class SyntaxMismatch extends Error {}

/**
 * Parses a dict literal that spans the whole text.
 * @returns the entries in order, with keys as text; undefined when the text is not a dict literal
 */
export function parsePythonDict(text: string): Map<string, unknown> | undefined {
  const reader = new LiteralReader(text);
  try {
    const value = reader.value(0);
    reader.expectEnd();
    return value instanceof Map ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxMismatch) return undefined;
    throw error;
  }
}

class LiteralReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  expectEnd(): void {
    this.#skipSpace();
    if (this.#at !== this.#text.length) throw new SyntaxMismatch();
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new SyntaxMismatch();
    this.#skipSpace();
    const next = this.#text[this.#at];
    if (next === '{') return this.#braces(depth);
    if (next === '[') return this.#items('[', ']', depth);
    if (next === '(') return this.#items('(', ')', depth);
    if (next === '-' || next === '+') {
      const sign = next === '-' ? -1 : 1;
      const number = this.#match(NUMBER);
      if (number !== undefined) return Number(number.replaceAll('_', ''));
      this.#at += 1;
      const value = this.value(depth + 1);
      if (typeof value !== 'number') throw new SyntaxMismatch();
      return sign * value;
    }
    const number = this.#match(NUMBER);
    if (number !== undefined) return Number(number.replaceAll('_', ''));
    if (this.#match(STRING_PREFIX) !== undefined) return this.#string();
    return this.#word(depth);
  }

  /** Parses a dict or a set in Python notation. A set is read as a list. */
  #braces(depth: number): Map<string, unknown> | unknown[] {
    this.#take('{');
    const entries = new Map<string, unknown>();
    const members: unknown[] = [];
    while (!this.#tryTake('}')) {
      const key = this.value(depth + 1);
      if (this.#tryTake(':')) entries.set(typeof key === 'string' ? key : `${key}`, this.value(depth + 1));
      else members.push(key);
      if (!this.#tryTake(',')) {
        this.#take('}');
        break;
      }
    }
    if (members.length > 0 && entries.size > 0) throw new SyntaxMismatch();
    return members.length > 0 ? members : entries;
  }

  #items(open: string, close: string, depth: number): unknown[] {
    this.#take(open);
    const items: unknown[] = [];
    while (!this.#tryTake(close)) {
      items.push(this.value(depth + 1));
      if (!this.#tryTake(',')) {
        this.#take(close);
        break;
      }
    }
    return items;
  }

  #string(): string {
    const quote = this.#text[this.#at] ?? '';
    this.#at += 1;
    let value = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw new SyntaxMismatch();
      this.#at += 1;
      if (character === quote) return value;
      if (character !== '\\') {
        value += character;
        continue;
      }
      const escaped = this.#text[this.#at] ?? '';
      this.#at += 1;
      value += ESCAPES[escaped] ?? escaped;
    }
  }

  /**
   * Parses a constant, such as `None`, or a call, such as `np.float64(0.5)`. The value of a call is its first argument.
   */
  #word(depth: number): unknown {
    const word = this.#match(WORD);
    if (word === undefined) throw new SyntaxMismatch();
    if (WORDS.has(word)) return WORDS.get(word);
    this.#take('(');
    let first: unknown;
    for (let position = 0; !this.#tryTake(')'); position += 1) {
      const keyword = this.#match(/[A-Za-z_]\w*\s*=(?!=)/y);
      const value = keyword === undefined || position === 0 ? this.value(depth + 1) : this.#argument(depth);
      if (position === 0) first = value;
      if (!this.#tryTake(',')) {
        this.#take(')');
        break;
      }
    }
    return first;
  }

  /** Parses a keyword argument's value: a literal, or a dotted name such as `torch.float32`. */
  #argument(depth: number): unknown {
    const start = this.#at;
    const name = this.#match(WORD);
    if (name !== undefined && this.#text[this.#at] !== '(') return name;
    this.#at = start;
    return this.value(depth + 1);
  }

  #take(text: string): void {
    if (!this.#tryTake(text)) throw new SyntaxMismatch();
  }

  #tryTake(text: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** Skips spaces, and returns the text that `pattern` matches at this position. The pattern must be sticky. */
  #match(pattern: RegExp): string | undefined {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }
}
