/** Finds the program and the Python interpreter of a command, from its words and the first line of its program. */
import { open } from 'node:fs/promises';
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
export async function pythonInterpreter(
  path: string,
  rest: readonly string[],
  workdir: string,
  searchPath: string | undefined,
): Promise<string | undefined> {
  const find = (name: string | undefined) =>
    name === undefined ? undefined : findProgram(name, workdir, searchPath).catch(() => undefined);
  if (PYTHON.test(basename(path))) return path;
  if (basename(path) === 'env') return find(rest.find((word) => !ASSIGNMENT.test(word) && PYTHON.test(basename(word))));
  const [interpreter, argument] = (await shebangOf(path)).split(/\s+/);
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

async function shebangOf(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SHEBANG_BYTES), 0, SHEBANG_BYTES, 0);
    return /^#!\s*([^\n]*)/.exec(buffer.toString('latin1', 0, bytesRead))?.[1]?.trim() ?? '';
  } catch {
    return '';
  } finally {
    await file.close();
  }
}
