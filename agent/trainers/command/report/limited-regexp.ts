/**
 * Runs a sweep file's regular expression with a time limit, because some expressions take exponential time on some
 * lines.
 */
import { type Context, createContext, Script } from 'node:vm';

const MATCH_ALL = new Script('Array.from(line.matchAll(expression))');
const TEST_ANY = new Script('lines.some((line) => { expression.lastIndex = 0; return expression.test(line); })');

export class LimitedRegExp {
  readonly #context: Context;
  readonly #limitMs: number;

  /** @throws {SyntaxError} if the pattern is not a regular expression */
  constructor(pattern: string, limitMs: number) {
    this.#context = createContext({ line: '', lines: [], expression: new RegExp(pattern, 'gu') });
    this.#limitMs = limitMs;
  }

  /** Returns all matches in a line; undefined if the limit expired. */
  matchAll(line: string): readonly RegExpExecArray[] | undefined {
    this.#context.line = line;
    return this.#run(MATCH_ALL);
  }

  /** Returns whether any line matches; undefined if the limit expired. */
  testAny(lines: readonly string[]): boolean | undefined {
    this.#context.lines = lines;
    return this.#run(TEST_ANY);
  }

  #run<T>(script: Script): T | undefined {
    try {
      return script.runInContext(this.#context, { timeout: this.#limitMs });
    } catch (error) {
      if (isTimeout(error)) return undefined;
      throw error;
    }
  }
}

/**
 * Returns whether an error is a timeout. The error may come from the script's context, and is then not an instance of
 * this context's Error.
 */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
