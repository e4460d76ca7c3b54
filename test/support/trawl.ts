/** Runs the built command `trawl` in a separate process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { killNow } from './processes.ts';
import { PATIENCE_MS } from './until.ts';

export const TRAWL = join(packageRoot(), 'bin', 'trawl.mjs');

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 137 if a signal ended the process. */
  readonly code: number;
}

export interface Running {
  readonly pid: number;
  /** Returns the text written to stderr so far. */
  readonly stderr: () => string;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

/** Returns this process's environment without TRAWL_SERVER or TRAWL_NATS, and with colors turned off. */
export function environment(): NodeJS.ProcessEnv {
  const { TRAWL_SERVER: _server, TRAWL_NATS: _nats, ...rest } = process.env;
  return { ...rest, NO_COLOR: '1' };
}

/** Starts a command, which is killed at the end of the running test. */
export function startTrawl(...args: string[]): Running {
  const child = spawn(process.execPath, [TRAWL, ...args], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`could not start trawl ${args.join(' ')}`);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const ended = endOf(child, () => output);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) killNow(pid);
    await ended;
  });
  return { pid, ended, stderr: () => output.stderr, kill: (signal) => child.kill(signal) };
}

function endOf(child: ChildProcess, output: () => Omit<Ended, 'code'>): Promise<Ended> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      resolve({ ...output(), code: code ?? 128 + (signal === null ? 0 : 9) });
    });
  });
}

/** Runs a command and waits for its end. Kills the command after three times PATIENCE_MS. */
export async function trawl(...args: string[]): Promise<Ended> {
  const running = startTrawl(...args);
  const timer = setTimeout(() => running.kill('SIGKILL'), 3 * PATIENCE_MS);
  const ended = await running.ended;
  clearTimeout(timer);
  return ended;
}

/**
 * Runs a command and parses its JSON output.
 * @throws {Error} if the command fails
 */
export async function trawlJson<T>(...args: string[]): Promise<T> {
  const { stdout, stderr, code } = await trawl(...args, '-o', 'json');
  if (code !== 0) throw new Error(`trawl ${args.join(' ')} exited with code ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
