import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root folder of the checkout (or installed package) that contains this script, without a trailing slash. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/**
 * Returns trawl's cache folder of the current user, which all checkouts share.
 * @param {NodeJS.ProcessEnv} env
 */
export function userCache(env) {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'trawl');
}

/**
 * Returns a function that writes progress lines to stderr, so that stdout contains only results.
 * @param {string} prefix of each line, such as `setup`
 * @returns {(line: string) => void}
 */
export function progressLogger(prefix) {
  return (line) => {
    process.stderr.write(`${prefix}: ${line}\n`);
  };
}

/**
 * Formats the time elapsed since `startMs`, such as `1.5 s`.
 * @param {number} startMs from performance.now()
 */
export function elapsed(startMs) {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
}

/**
 * Returns the message of a caught value.
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Returns the `code` of a system error such as ENOENT, or undefined.
 * @param {unknown} error
 * @returns {string | undefined}
 */
export function codeOf(error) {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
