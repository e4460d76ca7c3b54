/**
 * Parses one line of a program's output into an object of named values, in any format that a sweep file can select.
 */
import { LimitedRegExp } from './limited-regexp.ts';
import { parsePythonDict } from './python-literal.ts';

/** The time limit in milliseconds for a regular expression, per line. */
export const REGEX_LINE_MS = 500;
const MAX_EXPIRED = 10;

/** The named values of one line, in the order of the line. Nested objects are Maps or plain objects. */
export type LineObject = ReadonlyMap<string, unknown>;

/** Parses a line. Returns undefined if the line does not have the parser's format. */
export type LineParser = (line: string) => LineObject | undefined;

/** Parses a JSON object, with `NaN` and `Infinity` as Python's json module writes them. */
export const parseJsonLine: LineParser = (line) => {
  // Some programs start their output with a byte order mark. This mark is white space for `\s` and `trim`, but not in
  // JSON.
  if (!/^\s*\{/.test(line)) return undefined;
  try {
    const data: unknown = JSON.parse(replaceNonFinite(line.trim()));
    return typeof data === 'object' && data !== null && !Array.isArray(data)
      ? new Map(Object.entries(data))
      : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Splits a line of several JSON objects. If several processes write to the same output, one process can write its
 * object before another process has written its line feed. A line of any other kind is returned unchanged, as the only
 * item.
 */
export function splitObjects(line: string): readonly string[] {
  if (!/^\s*\{/.test(line) || !/\}\s*\{/.test(line)) return [line];
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  for (const { 0: token, index } of line.matchAll(/"(?:[^"\\]|\\.)*"?|[{}]/g)) {
    if (token === '{') depth += 1;
    else if (token === '}') depth -= 1;
    if (token !== '}' || depth > 0) continue;
    parts.push(line.slice(start, index + 1));
    start = index + 1;
  }
  const isWhole = line.slice(start).trim() === '' && parts.every((part) => parseJsonLine(part) !== undefined);
  return isWhole ? parts : [line];
}

/**
 * Parses a Python dict literal, such as `{'loss': 0.5, 'epoch': 1.0}`. Ignores text before and after the dict, such as
 * a log prefix.
 */
export const parsePythonLine: LineParser = (line) => {
  const start = line.indexOf('{');
  const end = line.lastIndexOf('}');
  return start === -1 || end < start ? undefined : parsePythonDict(line.slice(start, end + 1));
};

/**
 * Returns a parser for a regular expression with named groups. Each group is a metric, except for `epoch` and `step`,
 * which give the step. The pattern may match several times per line. Groups called `name` and `value` give one metric
 * per match, as in `(?<name>\w+)=(?<value>\S+)`.
 * @param onLimit called with each line on which the pattern exceeded its time limit; after ten such lines, the pattern
 * is no longer used
 * @throws {SyntaxError} when the pattern is not a regular expression
 */
export function regexParser(pattern: string, onLimit: (line: string) => void = () => {}): LineParser {
  const expression = new LimitedRegExp(pattern, REGEX_LINE_MS);
  let expired = 0;
  return (line) => {
    if (expired >= MAX_EXPIRED) return undefined;
    const matches = expression.matchAll(line);
    if (matches === undefined) {
      expired += 1;
      onLimit(line);
      return undefined;
    }
    const values = new Map<string, unknown>();
    for (const { groups } of matches) {
      const { name, value, ...others } = groups ?? {};
      if (name !== undefined && value !== undefined) values.set(name, value);
      else Object.assign(others, name === undefined ? {} : { name }, value === undefined ? {} : { value });
      for (const [group, text] of Object.entries(others)) if (text !== undefined) values.set(group, text);
    }
    return values.size === 0 ? undefined : values;
  };
}

/**
 * Replaces NaN and Infinity, which JSON does not have. NaN becomes null. Infinity becomes a number that is too large
 * for a double, because JSON.parse reads such a number as Infinity.
 */
function replaceNonFinite(line: string): string {
  if (!/NaN|Infinity/.test(line)) return line;
  return line.replaceAll(/"(?:[^"\\]|\\.)*"|\bNaN\b|\bInfinity\b/g, (token) => {
    if (token === 'NaN') return 'null';
    return token === 'Infinity' ? '1e999' : token;
  });
}
