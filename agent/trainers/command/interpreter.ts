/** Finds the program and the Python interpreter of a command, from its words and the first line of its program. */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { findProgram } from './invocation.ts';

const PYTHON = /^(?:python|pypy)[\d.]*$/;
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;
/** The maximum length in bytes of a script's first line, which names the interpreter. */
const SHEBANG_BYTES = 512;

/**
 * Returns the absolute path of the interpreter. Undefined if the command does not start Python, or starts Python
 * through another program.
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
 * Returns the name of a command's program for messages. `env` is skipped: `/usr/bin/env A=1 python3 x.py` runs python3.
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
