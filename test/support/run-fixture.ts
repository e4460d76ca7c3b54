/** Runs a `*.fixture.ts` file in a separate Node process. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The maximum duration of a fixture, in milliseconds. The limit is generous, because a full test run on two cores slows
 * down even small programs.
 */
export const FIXTURE_LIMIT_MS = 300_000;

/**
 * Returns the arguments with which Node runs a TypeScript file. The file runs in vitest's runner, so that tests need no
 * build.
 */
export function fixtureCommand(file: URL, ...args: readonly string[]): string[] {
  const vitest = createRequire(import.meta.url).resolve('vitest/package.json');
  const runner = join(dirname(createRequire(vitest).resolve('vite-node/package.json')), 'vite-node.mjs');
  return [runner, fileURLToPath(file), ...args];
}

/** @throws {Error} when the process exits with a code other than 0 */
export function runFixture(file: URL, ...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, fixtureCommand(file, ...args), { timeout: FIXTURE_LIMIT_MS });
}
