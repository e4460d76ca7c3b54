/** Reads a program's output: reports and log lines from stdout, log text from stderr. */
import type { Readable } from 'node:stream';
import type { AttemptLog } from '../trainer.ts';
import { LogTextFormatter, type OutputLine, OutputLines } from './report/output-lines.ts';

const MAX_TAIL_CHARACTERS = 64 * 1024;
const MAX_QUOTED_CHARACTERS = 3_000;
const MAX_QUOTED_LINES = 20;

/** The last lines of a program's output stream, as they appear in the log. */
export class OutputTail {
  #text = '';

  add(text: string): void {
    this.#text += text;
    // Each truncation copies the text. Truncating after every short line would take more time than all other work.
    if (this.#text.length > 2 * MAX_TAIL_CHARACTERS) this.#text = this.#text.slice(-MAX_TAIL_CHARACTERS);
  }

  get text(): string {
    return this.#text.slice(-MAX_TAIL_CHARACTERS).trimEnd();
  }

  /** The last lines, as they are quoted in messages. */
  get lines(): readonly string[] {
    const text = this.text.slice(-MAX_QUOTED_CHARACTERS);
    return text === '' ? [] : text.split('\n').slice(-MAX_QUOTED_LINES).join('\n').trimStart().split('\n');
  }
}

/** The part of a line that is logged in addition to its report; undefined when the line contains no report. */
export type TakenLine = { readonly rest: string } | undefined;

/**
 * Handles a line if it contains a report. For a line that cannot contain a report, returns undefined instead of a
 * promise. If a promise is returned, no more output is read until the promise resolves.
 */
export type TakeLine = (line: OutputLine) => Promise<TakenLine> | undefined;

/** Reads stdout or stderr to its end. Lines that are not reports are written to the log. */
export async function readStream(stream: Readable, takeLine: TakeLine, tail: OutputTail, log: AttemptLog) {
  const lines = new OutputLines();
  const shown = new LogTextFormatter();
  let added = '';
  const flush = () => {
    if (added === '') return undefined;
    const text = added;
    added = '';
    tail.add(text);
    return log.text(text);
  };
  const add = (text: string) => {
    added += text;
  };
  const take = async (given: Iterable<OutputLine>) => {
    for (const line of given) {
      const taking = takeLine(line);
      // takeLine may add a note about the line to the log. All earlier lines must precede the note.
      if (taking !== undefined) await flush();
      const taken = taking === undefined ? undefined : await taking;
      if (taken === undefined || taken.rest.trim() !== '') add(shown.text({ ...line, text: taken?.rest ?? line.text }));
      else add(shown.text(line, true));
    }
    await flush();
  };
  try {
    for await (const chunk of stream) await take(lines.push(String(chunk)));
  } catch (error) {
    // It is not an error if trawl itself has closed the stream, for example when a leftover process held the pipe open.
    if (!stream.destroyed) throw error;
  }
  await take(lines.end());
  add(shown.end());
  await flush();
}
