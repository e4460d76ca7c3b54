// Reads vitest's JSON report. `node failures.mjs REPORT` prints the failed tests with their errors. With --files, it
// prints the names of the test files that failed. Prints nothing if the report is missing (because the run ended
// before any test ran).
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

const MAX_ERROR_LINES = 60;
const [report, option] = process.argv.slice(2);

/** Shortens a long error to its first and last lines: vitest prints the reason first, and programs print it last. */
function shorten(text) {
  const lines = text.split('\n');
  if (lines.length <= MAX_ERROR_LINES) return text;
  const omitted = `[${lines.length - MAX_ERROR_LINES} lines omitted]`;
  return [...lines.slice(0, MAX_ERROR_LINES / 2), omitted, ...lines.slice(-MAX_ERROR_LINES / 2)].join('\n');
}

const { testResults } = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { testResults: [] };
for (const { name, status, message, assertionResults } of testResults) {
  if (status !== 'failed') continue;
  const file = relative('.', name);
  if (option === '--files') {
    console.log(file);
    continue;
  }
  const failed = assertionResults.filter((test) => test.status === 'failed');
  if (failed.length === 0) console.log(`FAILED ${file}\n${shorten(message)}\n`);
  for (const { fullName, failureMessages } of failed) {
    console.log(`FAILED ${file} > ${fullName}\n${shorten(failureMessages.join('\n'))}\n`);
  }
}
