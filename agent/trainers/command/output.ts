/** Reads a program's output: reports and log lines from stdout, log text from stderr, reports from its metrics file. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXAMPLE_LINE } from './metric-line.ts';

/** Maximum length of a report line in characters. Longer lines are passed on in parts, as text. */
export const MAX_LINE = 256 * 1024;
/** Maximum characters of a line that the log quotes. */
const MAX_QUOTE = 200;
/** The end of stderr that a failure message contains. */
const MAX_STDERR_CHARACTERS = 3_000;
const MAX_STDERR_LINES = 20;
/** Polling works on every file system; file change events do not. */
const POLL_MS = 200;
const CHUNK_BYTES = 64 * 1024;

/** The log of an attempt: the worker's output, which the supervisor sends to the coordinator. */
export interface AttemptLog {
  /** Adds output of the program. */
  text(text: string): void;
  /** Adds a line written by trawl. */
  note(line: string): void;
}

export const workerLog: AttemptLog = {
  text: (text) => void process.stdout.write(text),
  note: (line) => void process.stdout.write(`[trawl] ${line}\n`),
};

export interface OutputLine {
  /** Without the line end. */
  readonly text: string;
  /** False for a part of a line that is longer than MAX_LINE. */
  readonly isWhole: boolean;
  /** False when more of the line follows, or the output ended without a line end. */
  readonly isEnded: boolean;
}

/** Splits text that arrives in chunks into lines, within bounded memory. */
export class LineSplitter {
  #rest = '';
  /** Whether `#rest` continues a line whose beginning was passed on. */
  #isContinued = false;

  *push(text: string): Generator<OutputLine, void, undefined> {
    this.#rest += text;
    let from = 0;
    for (let end = this.#rest.indexOf('\n'); end !== -1; end = this.#rest.indexOf('\n', from)) {
      const line = this.#rest.slice(from, end);
      from = end + 1;
      yield { text: line.endsWith('\r') ? line.slice(0, -1) : line, isWhole: !this.#isContinued, isEnded: true };
      this.#isContinued = false;
    }
    this.#rest = this.#rest.slice(from);
    if (this.#rest.length <= MAX_LINE) return;
    yield { text: this.#rest, isWhole: false, isEnded: false };
    this.#rest = '';
    this.#isContinued = true;
  }

  /** Returns the text after the last line end. */
  *end(): Generator<OutputLine, void, undefined> {
    if (this.#rest !== '') yield { text: this.#rest, isWhole: !this.#isContinued, isEnded: false };
    this.#rest = '';
  }
}

/** The last lines of a program's stderr. */
export class StderrTail {
  #text = '';

  add(text: string): void {
    this.#text = (this.#text + text).slice(-MAX_STDERR_CHARACTERS);
  }

  get lines(): readonly string[] {
    const text = this.#text.trimEnd();
    return text === '' ? [] : text.split('\n').slice(-MAX_STDERR_LINES).join('\n').trimStart().split('\n');
  }
}

/** Handles a line if it is a report. No more output is read until the promise resolves. */
export type TakeReport = (line: string) => Promise<boolean>;

export async function readStdout(stdout: Readable, takeReport: TakeReport, log: AttemptLog): Promise<void> {
  const splitter = new LineSplitter();
  const take = async (lines: Iterable<OutputLine>) => {
    for (const { text, isWhole, isEnded } of lines) {
      if (!isWhole || !(await takeReport(text))) log.text(isEnded ? `${text}\n` : text);
    }
  };
  for await (const chunk of stdout) await take(splitter.push(String(chunk)));
  await take(splitter.end());
}

export async function readStderr(stderr: Readable, tail: StderrTail, log: AttemptLog): Promise<void> {
  for await (const chunk of stderr) {
    tail.add(String(chunk));
    log.text(String(chunk));
  }
}

export async function readMetricsFile(
  chunks: AsyncIterable<string>,
  takeReport: TakeReport,
  log: AttemptLog,
): Promise<void> {
  const splitter = new LineSplitter();
  let noted = false;
  const take = async (lines: Iterable<OutputLine>) => {
    for (const { text, isWhole } of lines) {
      if ((isWhole && (await takeReport(text))) || text.trim() === '' || noted) continue;
      noted = true;
      log.note(
        `the metrics file contains an invalid line: ${text.slice(0, MAX_QUOTE)} (expected, for example: ${EXAMPLE_LINE})`,
      );
    }
  };
  for await (const chunk of chunks) await take(splitter.push(chunk));
  await take(splitter.end());
}

/**
 * Yields the text of a file while a program appends to it. The file can be created later, or never.
 * @param complete aborted when no more text will be appended; text that is there then is still read
 */
export async function* follow(path: string, complete: AbortSignal): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let file: FileHandle | undefined;
  let at = 0;
  try {
    for (;;) {
      const isLast = complete.aborted;
      file ??= await open(path, 'r').catch(() => undefined);
      const { bytesRead } = (await file?.read(buffer, 0, CHUNK_BYTES, at)) ?? { bytesRead: 0 };
      at += bytesRead;
      if (bytesRead > 0) yield decoder.write(buffer.subarray(0, bytesRead));
      else if (isLast) return;
      else await sleep(POLL_MS, undefined, { signal: complete }).catch(() => {});
    }
  } finally {
    await file?.close();
  }
}
