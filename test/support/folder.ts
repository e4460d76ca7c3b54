import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { logEnd } from './daemon.ts';

const LOG_LINES = 30;

/** Creates a folder that is removed after the running test. With TRAWL_TEST_KEEP=1, the folder is kept. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-test-'));
  if (process.env.TRAWL_TEST_KEEP) console.log(`kept: ${folder}`);
  else {
    onTestFinished(({ task }) => {
      if (task.result?.state === 'fail') printLogs(folder);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    });
  }
  return folder;
}

function printLogs(folder: string): void {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.log'))) {
    console.log(`end of ${name}:\n${logEnd(join(folder, name), LOG_LINES)}`);
  }
}

/**
 * Writes a sweep file.
 * @returns its path
 */
export function sweepFile(folder: string, text: string | Uint8Array, name = 'sweep.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
