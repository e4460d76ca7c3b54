/** Starts long-running commands in tests. The commands end when the test process ends, even after a SIGKILL. */
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { spawnBound } from '../../bin/local/child-process.ts';
import { alive, childrenOf, killNow } from './processes.ts';
import { TRAWL } from './trawl.ts';
import { until } from './until.ts';

export interface Daemon {
  /** Process id of the program itself, not of its shell. */
  readonly pid: number;
  /** Resolves with the exit code, which is 128 + N after signal N. */
  readonly exited: Promise<number>;
  /** Sends SIGKILL, and resolves when the process is gone. */
  killNow(): Promise<void>;
  /** Requests an orderly stop, and resolves with the exit code. */
  stop(): Promise<number>;
}

/**
 * Starts a trawl command.
 * @param log the file to which stdout and stderr are appended
 */
export function startDaemon(log: string, ...args: string[]): Promise<Daemon> {
  return startProgram(log, process.execPath, [TRAWL, ...args]);
}

/** Starts any program in the same way as a trawl command. */
export async function startProgram(log: string, program: string, args: readonly string[]): Promise<Daemon> {
  const output = openSync(log, 'a');
  const shell = spawnBound(program, args, output);
  closeSync(output);
  shell.stdin?.on('error', () => {});
  const shellPid = shell.pid;
  const described = `${program} (log: ${log})`;
  if (shellPid === undefined) throw new Error(`could not start ${described}`);
  let gone = false;
  const exited = new Promise<number>((resolve) => {
    shell.once('exit', (code) => {
      gone = true;
      resolve(code ?? 137);
    });
  });
  // Children with the command line of the shell are ignored: the shell's helper process, and the program itself until
  // its exec call.
  const pid = await until(`${described} starts`, () => {
    if (gone) throw new Error(`${described} exited during startup:\n${logEnd(log)}`);
    return childrenOf(shellPid, (command) => !command.includes('trawl-bound'))[0];
  });
  onTestFinished(async () => {
    if (!gone) killNow(pid);
    await exited;
  });
  return {
    pid,
    exited,
    async killNow() {
      killNow(pid);
      await until(`process ${pid} is gone`, () => alive([pid]).length === 0);
    },
    async stop() {
      shell.stdin?.end();
      return exited;
    },
  };
}

/** Returns the last lines of a log. */
export function logEnd(log: string, lines = 20): string {
  return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '(no log)';
}
