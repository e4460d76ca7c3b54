import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** A command could not be started, failed, or timed out. The message ends with the output of the command. */
export class CommandError extends Error {
  /** @override */
  name = 'CommandError';
}

const OUTPUT_KEPT = 20_000;

/**
 * Runs a command with stdin closed, and captures its output instead of showing it. Only the end of a long output is
 * kept.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, limitMs?: number}} [options] `limitMs`: timeout; default: none
 * @returns {Promise<string>} stdout and stderr, interleaved
 * @throws {CommandError}
 */
export function runQuietly(command, args, { cwd, env = process.env, limitMs } = {}) {
  const line = [command, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let isTimeout = false;
    const stop = () => {
      isTimeout = true;
      child.kill();
    };
    const timer = limitMs === undefined ? undefined : setTimeout(stop, limitMs);
    let output = '';
    /** @param {string} chunk */
    const keep = (chunk) => {
      output += chunk;
      if (output.length > 2 * OUTPUT_KEPT) output = output.slice(-OUTPUT_KEPT).replace(/^.*\n/, '[...]\n');
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new CommandError(`\`${line}\` could not be started: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(output);
      const ended = signal === null ? `exit code ${code}` : signal;
      const how = isTimeout ? `timed out after ${(limitMs ?? 0) / 1000} s` : ended;
      reject(new CommandError(`\`${line}\` failed (${how})\n${output.trimEnd()}`));
    });
  });
}

/**
 * Runs a command on the terminal of this process and waits for it. SIGTERM is forwarded to the child. SIGINT is ignored
 * here, because the terminal also sends it to the child, which handles it.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<number>} the exit code of the child; 128 + signal number if a signal ended it
 */
export function runAttached(command, args, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' });
    const ignore = () => {};
    const forward = () => child.kill('SIGTERM');
    process.on('SIGINT', ignore);
    process.on('SIGTERM', forward);
    const removeHandlers = () => {
      process.off('SIGINT', ignore);
      process.off('SIGTERM', forward);
    };
    child.once('error', (error) => {
      removeHandlers();
      reject(error);
    });
    child.once('close', (code, signal) => {
      removeHandlers();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
