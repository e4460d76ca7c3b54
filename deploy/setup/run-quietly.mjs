import { spawn } from 'node:child_process';

/** A command that could not be started, failed, or took too long; the message ends with what it printed. */
export class CommandError extends Error {
  name = 'CommandError';
}

/** How much of a failed command's output its error keeps at least, in characters from the end. */
const OUTPUT_KEPT = 20_000;

/**
 * Runs a command with its output held back and its stdin closed: a step that goes well is one line, one that fails
 * shows everything.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, limitMs?: number}} [options] `limitMs`: killed after so long
 * @returns {Promise<string>} stdout and stderr, as they came
 * @throws {CommandError}
 */
export function runQuietly(command, args, { cwd, env = process.env, limitMs } = {}) {
  const line = [command, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs ?? 0 });
    let output = '';
    const keep = (chunk) => {
      output += chunk;
      if (output.length > 2 * OUTPUT_KEPT) output = output.slice(-OUTPUT_KEPT).replace(/^.*\n/, '[...]\n');
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (error) => reject(new CommandError(`\`${line}\` could not be started: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(output);
      const how = signal === null ? `exit code ${code}` : limitMs ? `stopped after ${limitMs / 1000} s` : `${signal}`;
      reject(new CommandError(`\`${line}\` failed (${how})\n${output.trimEnd()}`));
    });
  });
}
