import { vi } from 'vitest';
import { reportFailure } from '../../../bin/failure.ts';
import { buildProgram, verbIn } from '../../../bin/program.ts';

export interface Run {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

type Write = typeof process.stdout.write;

function capture(into: string[]): Write {
  return ((text: string, ...rest: unknown[]) => {
    into.push(text);
    const done = rest.at(-1);
    if (typeof done === 'function') done();
    return true;
  }) as Write;
}

/** Runs one trawl command in this process, without a terminal. */
export async function runTrawl(...args: string[]): Promise<Run> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const before = process.exitCode;
  process.exitCode = 0;
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(capture(stdout)),
    vi.spyOn(process.stderr, 'write').mockImplementation(capture(stderr)),
  ];
  try {
    await (await buildProgram(verbIn(args))).parseAsync(['node', 'trawl', ...args]);
  } catch (error) {
    const failure = reportFailure(error, args.includes('--debug'));
    stderr.push(failure.text ?? '');
    process.exitCode = failure.exitCode;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const exitCode = Number(process.exitCode);
  process.exitCode = before;
  return { stdout: stdout.join(''), stderr: stderr.join(''), exitCode };
}
