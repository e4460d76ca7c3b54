/** Turns the lines of a program's output into reports and checkpoints of its attempt. */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatCount } from '../../../lib/text/numbers.ts';
import type { ReportSource } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import type { AttemptLog, TrainingRun } from '../trainer.ts';
import type { ProgramFolders } from './invocation.ts';
import { keepCheckpoint } from './kept-files.ts';
import type { TakenLine } from './output.ts';
import {
  type LineObject,
  type LineParser,
  parseJsonLine,
  parsePythonLine,
  REGEX_LINE_MS,
  regexParser,
  splitObjects,
} from './report/objects.ts';
import { MAX_LINE, type OutputLine, withoutControl } from './report/output-lines.ts';
import { type Reading, StepReader } from './report/steps.ts';

const EXAMPLE_LINE = '{"epoch": 1, "test_loss": 0.25}';
/**
 * The number of reports after which the reader pauses. At most 1,000 reports per second are read. During a pause, no
 * output is read, so that the output waits in the pipe and not in memory.
 */
const REPORTS_PER_BATCH = 100;
const BATCH_PAUSE_MS = 100;
const MAX_QUOTE = 200;
const MAX_CANDIDATES = 16;

type ReportingRun = Pick<TrainingRun, 'report' | 'keep' | 'resume' | 'checkpointEvery' | 'notice'>;

export interface ReportSettings {
  readonly sources: readonly ReportSource[];
  /** The metric that ranks the sweep; undefined if the sweep names no metric. */
  readonly metric: string | undefined;
}

export class Reports {
  readonly #run: ReportingRun;
  readonly #folders: ProgramFolders;
  readonly #log: AttemptLog;
  readonly #metric: string | undefined;
  readonly #sources: readonly ReportSource[];
  readonly #reader: StepReader;
  readonly #parsers: readonly LineParser[];
  readonly #patterns: LineParser;
  #count = 0;
  /**
   * The number of lines that resemble reports, but are log output. Such lines are harmless, unless the program reports
   * nothing else.
   */
  #ignored = 0;
  #unreadable = 0;
  #damaged = 0;
  readonly #noted = new Set<string>();
  /** Serializes the reports of all sources. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(run: ReportingRun, folders: ProgramFolders, log: AttemptLog, { sources, metric }: ReportSettings) {
    this.#run = run;
    this.#folders = folders;
    this.#log = log;
    this.#metric = metric;
    this.#sources = sources;
    this.#reader = new StepReader({ metric, resumedFrom: run.resume?.epoch ?? 0 });
    this.#parsers = parsersOf(sources);
    this.#patterns = patternsOf(sources, (line) =>
      this.onUnreadable(line, `the regular expression takes more than ${REGEX_LINE_MS} ms on this line`),
    );
  }

  get count(): number {
    return this.#count;
  }

  /** Handles a line of stdout. A report may follow the states of a progress bar on the same line. */
  takeOutput(line: OutputLine): Promise<TakenLine> | undefined {
    const hasPatterns = this.#sources.some(({ source }) => source?.$case === 'regex');
    if (!hasPatterns && !line.text.includes('{')) return undefined;
    return this.#enqueue(async () => {
      if (!line.whole) {
        this.#noteLongLine(line.text);
        return undefined;
      }
      const text = withoutControl(line.text);
      const parts = this.#parsers.includes(parseJsonLine) ? splitObjects(text) : [text];
      const rests: string[] = [];
      for (const part of parts) rests.push(await this.#takeText(part, line.overwrites));
      const rest = rests.join('');
      return rest === text ? undefined : { rest };
    });
  }

  #noteLongLine(part: string): void {
    if (!this.#parsers.includes(parseJsonLine) || !part.startsWith('{')) return;
    this.#ignored += 1;
    const limit = formatCount(MAX_LINE);
    this.note('long', `not a report, because the line has more than ${limit} characters: ${part.slice(0, MAX_QUOTE)}`);
  }

  /** Handles a line of the metrics file: a JSON object, or several. */
  takeMetrics(line: OutputLine): Promise<TakenLine> {
    return this.#enqueue(async () => {
      const objects = splitObjects(line.text).map((text) => [text, parseJsonLine(text)] as const);
      for (const [text, values] of objects) {
        if (values === undefined) return undefined;
        await this.#take(this.#reader.read(values), text);
      }
      return { rest: '' };
    });
  }

  /** Handles named values in the same way as the values of a JSON line on stdout. */
  takeValues(values: LineObject): Promise<void> {
    return this.#enqueue(async () => void (await this.#take(this.#reader.read(values), '')));
  }

  /** Handles the metrics of a known step. The metrics may have any name, including `epoch` and `step`. */
  takeStep(step: number, values: LineObject): Promise<void> {
    const names = [...values.keys()].slice(0, MAX_CANDIDATES).join(', ');
    return this.#enqueue(async () => {
      await this.#take(this.#reader.readAt(step, values), `step ${step} with the values ${names}`);
    });
  }

  /** Counts a report that cannot be read. */
  onUnreadable(what: string, problem: string): void {
    this.#unreadable += 1;
    this.note('unreadable', `${problem}: ${what.slice(0, MAX_QUOTE)} (expected, for example: ${EXAMPLE_LINE})`);
  }

  /** Counts a damaged record of an event file. */
  onDamagedRecord(file: string, problem: string): void {
    this.#damaged += 1;
    this.note('damaged', `${file}: ${problem}`);
  }

  /**
   * Sends a warning if reports could not be read, or if the program printed its reports only to stderr.
   * @param stderr the last part of the program's stderr. Reports are not read from stderr
   */
  end(stderr = ''): void {
    const misplaced = this.#count === 0 ? this.#reportsIn(stderr) : [];
    if (misplaced.length > 0) {
      const lines =
        misplaced.length === 1
          ? '1 line of stderr looks like a report'
          : `${misplaced.length} lines of stderr look like reports`;
      const message =
        `the program reported nothing: reports are read from stdout, but ${lines}, such as ` +
        `${JSON.stringify(misplaced[0]?.slice(0, MAX_QUOTE))}. Print them to stdout, or redirect stderr (see "Reports" in docs/programs.md)`;
      this.note('misplaced', message);
      this.#run.notice('unreadable_reports', message, misplaced.length);
      return;
    }
    const count = this.#unreadable + (this.#count === 0 ? this.#ignored : 0);
    const problems: string[] = [];
    if (count === 1) problems.push('1 line looks like a report but cannot be read');
    if (count > 1) problems.push(`${count} lines look like reports but cannot be read`);
    if (this.#damaged === 1) problems.push('1 record of an event file is damaged');
    if (this.#damaged > 1) problems.push(`${this.#damaged} records of event files are damaged`);
    if (problems.length === 0) return;
    this.#run.notice('unreadable_reports', problems.join('; '), count + this.#damaged);
  }

  /** Returns the lines of a text that would be reports if they were printed on stdout. */
  #reportsIn(text: string): string[] {
    const reader = new StepReader({ metric: this.#metric });
    const patterns = patternsOf(this.#sources, () => {});
    return text.split('\n').filter((line) => {
      const named = this.#parsers.flatMap((parse) => parse(line) ?? []);
      const matched = patterns(line);
      const readings = named.map((values) => reader.read(values));
      if (matched !== undefined) readings.push(reader.read(matched, true));
      return readings.some(({ kind }) => kind === 'report');
    });
  }

  /**
   * Handles the first report or checkpoint in a text.
   * @returns the part of the text that belongs in the log: the part before the report or checkpoint, or the whole text
   * if it contains neither
   */
  async #takeText(text: string, follows: boolean): Promise<string> {
    for (const [start, values, areMetrics] of this.#readings(text, follows)) {
      return (await this.#take(this.#reader.read(values, areMetrics), text)) ? text.slice(0, start) : text;
    }
    return text;
  }

  *#readings(text: string, follows: boolean): Generator<[number, LineObject, boolean?], void, undefined> {
    const json = parseJsonLine(text);
    if (typeof json?.get('checkpoint') === 'string') yield [0, json];
    for (const parse of this.#parsers) {
      const values = parse(text);
      if (values !== undefined) yield [0, values];
    }
    const matched = this.#patterns(text);
    if (matched !== undefined) yield [0, matched, true];
    if (!follows || !this.#parsers.includes(parseJsonLine)) return;
    let start = text.indexOf('{', 1);
    for (let tried = 0; start !== -1 && tried < MAX_CANDIDATES; tried += 1) {
      const values = parseJsonLine(text.slice(start));
      if (values !== undefined) yield [start, values];
      start = text.indexOf('{', start + 1);
    }
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** @returns whether the line was a report or a checkpoint, and not log output */
  async #take(reading: Reading, line: string): Promise<boolean> {
    switch (reading.kind) {
      case 'text':
        if (reading.ignored) {
          this.#ignored += 1;
          this.note(
            'ignored',
            `not a report, because it has no numbers, or has neither a step nor a known metric: ${line.slice(0, MAX_QUOTE)}`,
          );
        }
        return false;
      case 'report':
        this.#count += 1;
        this.#run.report(reading.step, Object.fromEntries(reading.metrics));
        if (reading.ignored.length > 0) {
          const names = reading.ignored.slice(0, 20).map((name) => JSON.stringify(name));
          this.note(
            'values',
            `some values are ignored, here and in later reports, because they are not numbers, have no valid name or exceed the limits on metrics: ${names.join(', ')}`,
          );
        }
        if (this.#count % REPORTS_PER_BATCH === 0) await sleep(BATCH_PAUSE_MS);
        return true;
      case 'checkpoint':
        if (this.#run.checkpointEvery > 0) {
          const { step: epoch, path } = reading;
          await keepCheckpoint(this.#run, this.#folders, { epoch, path }, this.#log);
        }
        return true;
    }
  }

  /** Adds a note to the log, once per kind. */
  note(kind: string, line: string): void {
    if (this.#noted.has(kind)) return;
    this.#noted.add(kind);
    this.#log.note(line);
  }
}

function parsersOf(sources: readonly ReportSource[]): LineParser[] {
  if (sources.length === 0) return [parseJsonLine];
  return sources.flatMap(({ source }) => {
    if (source?.$case === 'json') return [parseJsonLine];
    return source?.$case === 'python' ? [parsePythonLine] : [];
  });
}

/**
 * Returns a parser that combines the values of all patterns. If several patterns give a value for one name, the first
 * pattern takes precedence.
 */
function patternsOf(sources: readonly ReportSource[], onLimit: (line: string) => void): LineParser {
  const parsers = sources.flatMap(({ source }) =>
    source?.$case === 'regex' ? [regexParser(source.regex, onLimit)] : [],
  );
  return (line) => {
    const matches = parsers.flatMap((parse) => parse(line) ?? []).reverse();
    return matches.length === 0 ? undefined : new Map(matches.flatMap((values) => [...values]));
  };
}
