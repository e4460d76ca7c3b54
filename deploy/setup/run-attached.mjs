import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * Runs a command on this process's own terminal and ends when it does. An interrupt from the keyboard reaches the
 * child by itself, and it is the child's to end by; a SIGTERM is handed on.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<number>} its exit code; 128 + number if a signal ended it
 */
export function runAttached(command, args, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' });
    const leaveToChild = () => {};
    const handOn = () => child.kill('SIGTERM');
    process.on('SIGINT', leaveToChild);
    process.on('SIGTERM', handOn);
    const end = () => {
      process.off('SIGINT', leaveToChild);
      process.off('SIGTERM', handOn);
    };
    child.once('error', (error) => {
      end();
      reject(error);
    });
    child.once('close', (code, signal) => {
      end();
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
