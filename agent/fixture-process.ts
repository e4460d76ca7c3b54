/** Runs a `*.fixture.ts` in a Node process of its own, for tests of what one process cannot show. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Two cores shared by a whole test run can make a small program slow. */
const FIXTURE_MS = 120_000;

/** @throws when the process ends with another code than 0. */
export function runFixture(file: URL, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  // vitest's own runner of TypeScript: sources need no build before the tests.
  const vitest = createRequire(import.meta.url).resolve('vitest/package.json');
  const runner = join(dirname(createRequire(vitest).resolve('vite-node/package.json')), 'vite-node.mjs');
  return run(process.execPath, [runner, fileURLToPath(file), ...args], { timeout: FIXTURE_MS });
}
