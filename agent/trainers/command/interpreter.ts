/**
 * Finds the program and the Python interpreter of a command, from its words and, for a script, from the script's first
 * line.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { findProgram } from './invocation.ts';

const PYTHON = /^(?:python|pypy)[\d.]*$/;
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;
/** The maximum length in bytes of a script's first line, which names the interpreter. */
const SHEBANG_BYTES = 512;

/**
 * Returns the path of the Python interpreter that a command starts: directly, through `env`, or by the first line of a
 * script. Undefined if the command does not start Python, or starts Python in another way.
 * @param path the program's absolute path
 * @param rest the program's arguments
 */
export function pythonInterpreter(
  path: string,
  rest: readonly string[],
  workdir: string,
  searchPath: string | undefined,
): string | undefined {
  const find = (name: string | undefined) => {
    try {
      return name === undefined ? undefined : findProgram(name, workdir, searchPath);
    } catch {
      return undefined;
    }
  };
  if (PYTHON.test(basename(path))) return path;
  if (basename(path) === 'env') return find(rest.find((word) => !ASSIGNMENT.test(word) && PYTHON.test(basename(word))));
  const [interpreter, argument] = shebangOf(path).split(/\s+/);
  if (interpreter === undefined) return undefined;
  if (PYTHON.test(basename(interpreter))) return interpreter;
  const isEnv = basename(interpreter) === 'env' && argument !== undefined && PYTHON.test(basename(argument));
  return isEnv ? find(argument) : undefined;
}

/**
 * Returns the name that messages use for the program of a command. For `/usr/bin/env A=1 python3 x.py`, this name is
 * `python3`, because `env` only starts it.
 */
export function programName([program = '', ...rest]: readonly string[]): string {
  if (basename(program) !== 'env') return program;
  return rest.find((word) => !ASSIGNMENT.test(word) && !word.startsWith('-')) ?? program;
}

function shebangOf(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const buffer = Buffer.alloc(SHEBANG_BYTES);
    const bytes = readSync(file, buffer, 0, SHEBANG_BYTES, 0);
    return /^#!\s*([^\n]*)/.exec(buffer.toString('latin1', 0, bytes))?.[1]?.trim() ?? '';
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
