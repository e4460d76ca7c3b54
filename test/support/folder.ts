import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { logEnd } from './daemon.ts';

const LOG_LINES = 30;

/** A folder of the running test's own, gone when the test is over; TRAWL_TEST_KEEP=1 keeps it, to look at the logs. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-test-'));
  if (process.env.TRAWL_TEST_KEEP) console.log(`kept: ${folder}`);
  else {
    onTestFinished(({ task }) => {
      if (task.result?.state === 'fail') tellLogs(folder);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    });
  }
  return folder;
}

/** What the test's programs wrote last: where a test has failed, nobody may be there to run it again. */
function tellLogs(folder: string): void {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.log'))) {
    console.log(`the end of ${name}:\n${logEnd(join(folder, name), LOG_LINES)}`);
  }
}

/** Writes a sweep file, and returns its path. */
export function sweepFile(folder: string, text: string | Uint8Array, name = 'sweep.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
