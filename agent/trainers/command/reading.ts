/** What a program writes: on stdout reports and log, on stderr log, into its file of metrics reports. */
import type { Readable } from 'node:stream';
import type { LastWords } from './failure.ts';
import { type Line, LineCutter } from './lines.ts';
import type { AttemptLog } from './log.ts';
import { EXAMPLE_LINE } from './metric-line.ts';

/** Takes a line that is a report. Nothing more is read meanwhile. */
export type IsReport = (line: string) => Promise<boolean>;

/** Characters of a line that the log repeats. */
const MAX_SHOWN = 200;

export async function readOutput(output: Readable, isReport: IsReport, log: AttemptLog): Promise<void> {
  const cutter = new LineCutter();
  const take = async (lines: Iterable<Line>) => {
    for (const { text, whole, ended } of lines) {
      if (!whole || !(await isReport(text))) log.text(ended ? `${text}\n` : text);
    }
  };
  for await (const piece of output) await take(cutter.push(String(piece)));
  await take(cutter.end());
}

export async function readErrors(errors: Readable, lastWords: LastWords, log: AttemptLog): Promise<void> {
  for await (const piece of errors) {
    lastWords.add(String(piece));
    log.text(String(piece));
  }
}

export async function readMetrics(pieces: AsyncIterable<string>, isReport: IsReport, log: AttemptLog): Promise<void> {
  const cutter = new LineCutter();
  let told = false;
  const take = async (lines: Iterable<Line>) => {
    for (const { text, whole } of lines) {
      if ((whole && (await isReport(text))) || text.trim() === '' || told) continue;
      told = true;
      log.note(`the file of metrics holds a line that is none, such as ${EXAMPLE_LINE}: ${text.slice(0, MAX_SHOWN)}`);
    }
  };
  for await (const piece of pieces) await take(cutter.push(piece));
  await take(cutter.end());
}
