import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder of the running test's own, gone when the test is over; TRAWL_TEST_KEEP=1 keeps it, to look at the logs. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-test-'));
  if (process.env.TRAWL_TEST_KEEP) console.log(`kept: ${folder}`);
  else onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Writes a sweep file, and returns its path. */
export function sweepFile(folder: string, text: string | Uint8Array, name = 'sweep.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
