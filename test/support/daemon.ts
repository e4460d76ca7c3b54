/** Long-running commands for tests. They are stopped even if the test's process is killed. */
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { spawnBound } from '../../bin/local/child-process.ts';
import { alive, childrenOf, killNow } from './processes.ts';
import { TRAWL } from './trawl.ts';
import { until } from './until.ts';

export interface Daemon {
  /** Process id of the program itself. */
  readonly pid: number;
  /** Settles with the exit code; 128 + number for a signal. */
  readonly exited: Promise<number>;
  /** Sends SIGKILL, and resolves once the process has ended. */
  killNow(): Promise<void>;
  /** Sends SIGTERM, and resolves with the exit code. */
  stop(): Promise<number>;
}

/** @param log file to which the output is appended */
export function startDaemon(log: string, ...args: string[]): Promise<Daemon> {
  return startProgram(log, process.execPath, [TRAWL, ...args]);
}

/** Starts any program in the same way. */
export async function startProgram(log: string, program: string, args: readonly string[]): Promise<Daemon> {
  const output = openSync(log, 'a');
  const shell = spawnBound(program, args, output);
  closeSync(output);
  shell.stdin?.on('error', () => {});
  const shellPid = shell.pid;
  const what = `${program}, which writes ${log},`;
  if (shellPid === undefined) throw new Error(`${what} could not be started`);
  let gone = false;
  const exited = new Promise<number>((resolve) => {
    shell.once('exit', (code) => {
      gone = true;
      resolve(code ?? 137);
    });
  });
  // The shell's helper, and the program before its exec, have the shell's command line.
  const pid = await until(`${what} starts`, () => {
    if (gone) throw new Error(`${what} ended at once:\n${logEnd(log)}`);
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

export function logEnd(log: string, lines = 20): string {
  return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '(no log)';
}
