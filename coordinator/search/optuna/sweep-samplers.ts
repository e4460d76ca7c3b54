/**
 * Sends the requests of optuna searchers to their Python processes, and keeps the answers. Each sweep has its own
 * process, which is started by the first request. If a process ends during a request, does not answer in time or sends
 * an invalid answer, a new process replaces it after a delay. The new process receives the whole study again.
 */
import { Backoff } from '../../../lib/net/backoff.ts';
import { formatSpan } from '../../../lib/text/duration.ts';
import type { SamplerAnswer, SamplerRequest } from '../searcher.ts';
import { type KnownTrial, knownTrial, readAnswer, requestLine, type StudySettings } from './messages.ts';
import type { LineProcess, StartProcess } from './process.ts';
import { ownCodeOf, ownCodeText } from './samplers.ts';

/** The maximum number of processes. If more sweeps need one, the process that has been idle for longest is ended. */
const MAX_PROCESSES = 4;
/** A process that does not answer a request within this time is replaced. */
const ANSWER_TIMEOUT_MS = 10 * 60_000;
/** If a request has had no answer for this time, the sweep is shown as waiting for its sampler. */
const SLOW_MS = 5_000;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 60_000;

export interface SamplersOptions {
  readonly start: StartProcess;
  /** The Python interpreter for sweeps whose file does not set one. */
  readonly python: string;
  /**
   * Whether a sweep file may name a Python interpreter, or a sampler class from the author's own code. The interpreter
   * and the class can run any code on this machine.
   */
  readonly allowsOwnCode: boolean;
  /** Called when a sweep has an answer, or can send its request again. */
  readonly onReady: (sweepId: string) => void;
  /**
   * Called when the sampler of a sweep fails. `failures` is then the number of consecutive failures. Also called with
   * `failures` 0 at the first answer of the sampler, and at the first answer after a failure.
   */
  readonly onProblem: (sweepId: string, problem: string, failures: number) => void;
  /** Default: ANSWER_TIMEOUT_MS */
  readonly answerTimeoutMs?: number;
  /** Default: FIRST_RETRY_MS */
  readonly firstRetryMs?: number;
}

/** The samplers of all sweeps. */
export class Samplers {
  readonly options: SamplersOptions;
  readonly #samplers = new Map<string, SweepSampler>();
  #hasEnded = false;

  constructor(options: SamplersOptions) {
    this.options = options;
  }

  /** Creates the sampler of a sweep. Closes the previous sampler of the sweep, if there is one. */
  open(sweepId: string, settings: StudySettings): SweepSampler {
    this.close(sweepId);
    const sampler = new SweepSampler(this, sweepId, settings);
    this.#samplers.set(sweepId, sampler);
    return sampler;
  }

  /** Ends the process of a sweep. */
  close(sweepId: string): void {
    this.#samplers.get(sweepId)?.end();
    this.#samplers.delete(sweepId);
    this.wake();
  }

  /** Ends all processes. No process is started afterward. */
  closeAll(): void {
    this.#hasEnded = true;
    for (const sampler of this.#samplers.values()) sampler.end();
    this.#samplers.clear();
  }

  /** Returns whether a further process can start. Ends the process that has been idle for longest, if necessary. */
  makeRoom(): boolean {
    if (this.#hasEnded) return false;
    const started = [...this.#samplers.values()].filter(({ hasProcess }) => hasProcess);
    if (started.length < MAX_PROCESSES) return true;
    const idle = started.filter(({ isAsking }) => !isAsking).sort((a, b) => a.usedAt - b.usedAt);
    idle[0]?.stopProcess();
    return idle.length > 0;
  }

  /** Resumes the sweeps that wait for a process. */
  wake(): void {
    for (const sampler of this.#samplers.values()) sampler.wake();
  }
}

/** The sampler of one sweep. */
export class SweepSampler {
  answer: SamplerAnswer | undefined;
  usedAt = 0;
  readonly #samplers: Samplers;
  readonly #sweepId: string;
  readonly #settings: StudySettings;
  readonly #backoff: Backoff;
  #process: LineProcess | undefined;
  /** The trials that the process already has. */
  #known: KnownTrial[] = [];
  /** The number of the suggestion that the process is computing. Undefined if the process is idle. */
  #asked: number | undefined;
  #askedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  /**
   * Why the sampler ignores requests. `delay`: the delay after a failure has not ended, or the sampler is closed or not
   * permitted. `room`: all processes are busy with other sweeps.
   */
  #waits: 'no' | 'delay' | 'room' = 'no';
  #failure: string | undefined;
  #failures = 0;
  #hasAnswered = false;
  /** Whether the process has not answered yet. */
  #isStarting = false;
  /** The time at which the delay after a failure ends, on the clock of `performance.now()`. */
  #retryAt: number | undefined;

  constructor(samplers: Samplers, sweepId: string, settings: StudySettings) {
    this.#samplers = samplers;
    this.#sweepId = sweepId;
    this.#settings = settings;
    this.#backoff = new Backoff(samplers.options.firstRetryMs ?? FIRST_RETRY_MS, MAX_RETRY_MS);
    const code = ownCodeOf(settings);
    if (code !== undefined && !samplers.options.allowsOwnCode) {
      this.#failure = ownCodeText(code);
      this.#waits = 'delay';
    }
  }

  get hasProcess(): boolean {
    return this.#process !== undefined;
  }

  get isAsking(): boolean {
    return this.#asked !== undefined;
  }

  /** Whether a request would have no effect now. */
  get isBusy(): boolean {
    return this.#asked !== undefined || this.#waits !== 'no';
  }

  /** The reason why no further trial of the sweep can be created now. Undefined if the next suggestion is due soon. */
  get problem(): string | undefined {
    if (this.#failure !== undefined) return [this.#failure, ...this.#recovery].join('; ');
    if (this.#waits === 'room') return `the samplers of ${MAX_PROCESSES} other sweeps are busy`;
    if (this.#asked === undefined || performance.now() - this.#askedAt < SLOW_MS) return undefined;
    const span = formatSpan(performance.now() - this.#askedAt);
    return this.#isStarting
      ? `the Python process of the sampler ${this.#settings.sampler} started ${span} ago and has not answered yet`
      : `the sampler ${this.#settings.sampler} has been computing a suggestion for ${span}`;
  }

  /** How the sampler recovers from a failure. Empty if only the user can fix the cause of the failure. */
  get #recovery(): string[] {
    if (this.#asked !== undefined) {
      return [`a new process started ${formatSpan(performance.now() - this.#askedAt)} ago and has not answered yet`];
    }
    if (this.#retryAt === undefined) return [];
    return [`a new process starts in ${formatSpan(Math.max(0, this.#retryAt - performance.now()))}`];
  }

  /** Sends a request to the process, unless the sampler is busy. */
  request({ number, trials }: SamplerRequest): void {
    if (this.isBusy) return;
    const isNew = this.#process === undefined;
    if (isNew && !this.#samplers.makeRoom()) {
      this.#waits = 'room';
      return;
    }
    this.#process ??= this.#start();
    this.#isStarting ||= isNew;
    this.#retryAt = undefined;
    const line = requestLine(number, trials, isNew ? undefined : this.#known, this.#settings);
    this.#known = trials.map(knownTrial);
    this.#asked = number;
    this.#askedAt = performance.now();
    this.usedAt = this.#askedAt;
    const limitMs = this.#samplers.options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
    this.#timer = setTimeout(() => this.#fail(`the sampler has not answered for ${limitMs / 1000} s`), limitMs);
    this.#process.send(line);
  }

  /** If the sweep waits because all processes were busy, lets the sweep send its request again. */
  wake(): void {
    if (this.#waits !== 'room') return;
    this.#waits = 'no';
    this.#samplers.options.onReady(this.#sweepId);
  }

  stopProcess(): void {
    clearTimeout(this.#timer);
    this.#process?.end();
    this.#process = undefined;
    this.#asked = undefined;
    this.#known = [];
  }

  end(): void {
    this.stopProcess();
    this.#waits = 'delay';
  }

  #start(): LineProcess {
    const { start, python } = this.#samplers.options;
    const process: LineProcess = start(this.#settings.python ?? python, {
      // Lines of a process that was replaced may still arrive.
      onLine: (line) => this.#process === process && this.#receive(line),
      onEnd: (reason) => this.#process === process && this.#fail(reason),
    });
    return process;
  }

  #receive(line: string): void {
    const { answer, problem } = readAnswer(line, this.#settings.python ?? this.#samplers.options.python);
    if (answer === undefined) {
      this.#fail(problem);
      return;
    }
    if (answer.number !== this.#asked) {
      this.#fail('the Python process of the sampler sent an unexpected answer');
      return;
    }
    clearTimeout(this.#timer);
    this.#asked = undefined;
    this.#isStarting = false;
    this.#known.push({ record: answer.record, ended: undefined });
    this.answer = answer;
    // The store can contain a problem from before a restart, so the first answer always clears the stored problem.
    if (this.#failures > 0 || !this.#hasAnswered) this.#samplers.options.onProblem(this.#sweepId, '', 0);
    this.#hasAnswered = true;
    this.#failures = 0;
    this.#failure = undefined;
    this.#backoff.reset();
    this.#samplers.options.onReady(this.#sweepId);
    this.#samplers.wake();
  }

  /** Ends the process, and lets the sweep send its request again after a delay. */
  #fail(reason: string): void {
    const wasAsking = this.isAsking;
    this.stopProcess();
    // The end of an idle process is no failure, because the next request starts a new process.
    if (!wasAsking) return;
    this.#failures += 1;
    this.#failure = reason;
    this.#waits = 'delay';
    this.#samplers.options.onProblem(this.#sweepId, reason, this.#failures);
    const delayMs = this.#backoff.next();
    this.#retryAt = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#waits = 'no';
      this.#samplers.options.onReady(this.#sweepId);
    }, delayMs);
    this.#timer.unref();
    this.#samplers.wake();
  }
}
