/** Stores the changes of each step, and sends the outputs of the step only once the changes are durable. */
import { settlesWithin } from '../../lib/net/within.ts';
import { RejectedError } from '../../proto/errors.ts';
import type { SlotTime } from '../../proto/gen/trawl/v1/types.ts';
import { blockedReason } from '../core/blocked.ts';
import { forgetEndedTrials } from '../core/ended-trials.ts';
import { type Core, type CreationWindow, isEnded, newCore, type Sweep } from '../core/model.ts';
import { schedule } from '../core/scheduler.ts';
import { slotTimeOf } from '../core/slot-time.ts';
import { type Change, combine, type Output, type Step } from '../core/step.ts';
import { isFinal } from '../core/trial-model.ts';
import { onSamplerProblem } from '../core/warnings.ts';
import type { SweepSpec } from '../grid/spec.ts';
import { ownCodeOf, ownCodeText } from '../search/optuna/samplers.ts';
import { Samplers, type SamplersOptions } from '../search/optuna/sweep-samplers.ts';
import { type Commit, Journal } from '../store/journal.ts';
import type { Queries } from '../store/queries.ts';
import type { Store } from '../store/store.ts';
import { TimeLeftEstimates } from './time-left.ts';
import { type SourceOpener, sourceOpener } from './trial-sources.ts';

/**
 * The time when the process started, in Unix milliseconds. `now` adds monotonic time to this value, so that the result
 * never jumps.
 */
const startedAt = Date.now() - performance.now();

/** Returns the time in Unix milliseconds, from a clock that never jumps. */
export function now(): number {
  return Math.round(startedAt + performance.now());
}

/** The delay before the scheduler repeats a pass that could not read the store. */
const PASS_RETRY_MS = 1_000;

/**
 * The maximum number of times that a pass reads results. A pass reads again if further results have arrived while it
 * waited or read. After this number of reads, it continues without them, so that it ends even if results keep arriving.
 */
const MAX_READS_OF_RESULTS = 3;

/** Whether the step has no outputs, and stores nothing except reports and logs. */
function onlyRecords({ changes, outputs }: Step): boolean {
  return outputs.length === 0 && changes.every(({ kind }) => kind === 'report' || kind === 'log');
}

export interface RuntimeOptions {
  readonly store: Store;
  readonly leaseMs: number;
  /** Sends an output. The function must not throw. */
  readonly send: (output: Output) => void;
  /**
   * Called when a write to the store fails, or when a pass of the scheduler throws an error. The state in memory may
   * then be ahead of the store, so the process must end.
   */
  readonly onBroken: (error: unknown) => void;
  /** Called when a pass of the scheduler cannot read the store. The pass is repeated after PASS_RETRY_MS. */
  readonly onReadFailed?: (error: unknown) => void;
  /** Called after every pass of the scheduler. */
  readonly onPass?: (seconds: number) => void;
  /** Returns the time in Unix milliseconds, from a clock that never jumps. The default is the clock of the process. */
  readonly now?: () => number;
  /** Default: CREATION_WINDOW */
  readonly creationWindow?: CreationWindow;
  /** Default: PREFETCH_MS (core/model.ts) */
  readonly prefetchMs?: number | undefined;
  /** The settings for the processes of optuna searches. If undefined, such searches yield no trials. */
  readonly samplers?: SamplerOptions | undefined;
}

export type SamplerOptions = Omit<SamplersOptions, 'onReady' | 'onProblem'>;

export class Runtime {
  readonly store: Store;
  readonly queries: Queries;
  readonly openSource: SourceOpener;
  readonly timeLeft: TimeLeftEstimates;
  readonly now: () => number;
  readonly #journal: Journal;
  readonly #send: (output: Output) => void;
  readonly #onBroken: (error: unknown) => void;
  readonly #onReadFailed: (error: unknown) => void;
  readonly #onPass: (seconds: number) => void;
  readonly #samplers: Samplers | undefined;
  #core: Core;
  #lastOperation: Promise<unknown> = Promise.resolve();
  /** Whether another pass of the scheduler is needed. */
  #isPassDue = false;
  /** Whether a pass is scheduled or running. */
  #isPassing = false;
  #stopped = false;
  /**
   * Whether `stop` or `stopWithin` has stopped waiting for writes. If a write fails after that, the store does not
   * count as broken.
   */
  #hasStopped = false;
  /** The number of steps so far that ended trials of a search whose points depend on results. */
  #resultSteps = 0;
  /** The commits of those of these steps that are not stored yet. */
  readonly #unstoredResults = new Set<Promise<void>>();

  /** Creates a runtime with the sweeps of the store that have not ended. */
  static async open<Options extends RuntimeOptions, Opened extends Runtime>(
    this: new (
      options: Options,
    ) => Opened,
    options: Options,
  ): Promise<Opened> {
    const runtime = new this(options);
    await runtime.#load(options);
    return runtime;
  }

  /** Must be called only by `open`. */
  constructor({
    store,
    leaseMs,
    send,
    onBroken,
    onReadFailed = () => {},
    onPass = () => {},
    now: clock = now,
    creationWindow,
    prefetchMs,
    samplers,
  }: RuntimeOptions) {
    this.store = store;
    this.now = clock;
    this.#samplers = samplers && this.#samplersOf(samplers);
    this.openSource = sourceOpener(store, this.#samplers);
    this.#core = newCore(leaseMs, clock(), creationWindow, prefetchMs);
    this.timeLeft = new TimeLeftEstimates(
      () => this.core,
      (sweepId) => this.queries.trials.etaTrials(sweepId),
      clock,
    );
    this.queries = store.queries({
      live: {
        blocked: (sweepId) => blockedReason(this.core, sweepId),
        timeLeft: (sweepId) => this.timeLeft.of(sweepId),
        slotTimeLeft: (sweepId) => this.timeLeft.slotTimeOf(sweepId),
        slotShare: (sweepId) => this.timeLeft.shareOf(sweepId),
        slotTime: (sweepId) => this.slotTime(sweepId),
      },
    });
    this.#send = send;
    this.#onBroken = onBroken;
    this.#onReadFailed = onReadFailed;
    this.#onPass = onPass;
    this.#journal = new Journal(store, clock);
  }

  /** The state in memory, which is ahead of the store while the changes of a step are not yet durable. */
  get core(): Core {
    return this.#core;
  }

  async #load({ leaseMs, creationWindow, prefetchMs }: RuntimeOptions): Promise<void> {
    const { openSource } = this;
    this.#core = await this.store.loadCore({ leaseMs, now: this.now(), openSource, creationWindow, prefetchMs });
  }

  /**
   * Runs an operation that reads the store before it changes the state in memory. Such operations run one after
   * another, and all earlier changes are durable when an operation begins.
   */
  exclusively<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#lastOperation.then(async () => {
      await this.flush();
      return operation();
    });
    this.#lastOperation = result.catch(() => {});
    return result;
  }

  /** Runs a write to the store that is not part of a step, such as the addition of a sweep. Writes do not overlap. */
  write<T>(operation: () => Promise<T>): Promise<T> {
    return this.#journal.between(operation);
  }

  /**
   * Calls the listener after every durable commit.
   * @returns a function that removes the listener
   */
  onCommit(listener: (commit: Commit) => void): () => void {
    return this.#journal.onCommit(listener);
  }

  /**
   * Resolves when this step and all earlier steps are durable and the outputs of this step are sent.
   * @param by the name of the user who requested the step. Default: none
   * @param canWait whether the write of the step can be delayed, so that later changes are written with it (see
   * journal.ts). Has no effect if the step has outputs or stores anything except reports and logs. Pass true only if a
   * delay does no harm. For example, the acknowledgement of a record can be delayed, because agents send further
   * records without waiting for it. Default: false
   */
  settle(step: Step, by = '', canWait = false): Promise<void> {
    return this.settleAll([step], by, () => canWait);
  }

  /**
   * Settles several steps together (see `settle`). Each step is computed after the changes of the previous steps, and
   * must not throw.
   * @param canWait called after all steps have been computed
   */
  async settleAll(steps: Iterable<Step>, by: string, canWait: () => boolean): Promise<void> {
    const computed: Step[] = [];
    let hasResults = false;
    for (const step of steps) {
      hasResults ||= this.#hasResults(step.changes);
      this.#dropEnded(step.changes);
      computed.push(step);
    }
    const whole = combine(computed);
    const stored = this.#journal.commit(whole.changes, by, canWait() && onlyRecords(whole));
    if (hasResults) {
      this.#resultSteps += 1;
      this.#unstoredResults.add(stored);
    }
    try {
      await stored;
    } catch (error) {
      if (!this.#hasStopped) this.#onBroken(error);
      throw error;
    } finally {
      this.#unstoredResults.delete(stored);
    }
    for (const output of whole.outputs) this.#send(output);
  }

  /** Whether one of the changes ends a trial of a search whose points depend on results. */
  #hasResults(changes: readonly Change[]): boolean {
    return changes.some(
      (change) =>
        change.kind === 'trial' &&
        isFinal(change.state) &&
        this.core.sweeps.get(change.sweepId)?.search?.source.usesResults,
    );
  }

  /** Runs the scheduler, at most once per turn of the event loop. */
  reschedule(): void {
    if (this.#isPassDue) return;
    this.#isPassDue = true;
    if (!this.#isPassing) this.#startPass();
  }

  /** Passes do not overlap. A pass that becomes due during another pass starts after it. */
  #startPass(): void {
    this.#isPassing = true;
    setImmediate(() => {
      this.#isPassDue = false;
      void this.#pass()
        .catch((error) => this.#onBroken(error))
        .finally(() => {
          this.#isPassing = false;
          if (this.#isPassDue) this.#startPass();
        });
    });
  }

  async #pass(): Promise<void> {
    if (this.#stopped) return;
    try {
      await this.prepareSources();
    } catch (error) {
      if (this.#stopped) return;
      // A store on another machine may be unreachable for a moment. Nothing has changed in memory yet, so the pass can
      // be repeated.
      this.#onReadFailed(error);
      setTimeout(() => this.reschedule(), PASS_RETRY_MS).unref();
      return;
    }
    if (this.#stopped) return;
    const begun = performance.now();
    const step = schedule(this.core, this.now());
    this.#onPass((performance.now() - begun) / 1000);
    if (step.changes.length + step.outputs.length > 0) {
      // `settle` has already reported the error.
      this.settle(step).catch(() => {});
    }
    // A pass takes a limited number of points from each source. Another pass follows if a source was not prepared for
    // more points, or if the last points of this pass created no trials.
    const isUnprepared = [...this.core.sweeps.values()].some(
      ({ state, search }) => state === 'running' && search?.source.isUnprepared === true,
    );
    if (isUnprepared || step.changes.some((change) => change.kind === 'searched' && !change.done)) this.reschedule();
  }

  /**
   * Reads what the sources of the running sweeps need for their next trials. A search reads its results from the store.
   * In memory, the slot of a trial that has just ended may already run the next trial, so that the search can create
   * another one, although the result is not stored yet. Such results are therefore awaited.
   */
  async prepareSources(): Promise<void> {
    for (let reads = 0; reads < MAX_READS_OF_RESULTS && !this.#stopped; reads++) {
      // `settle` handles the error of a failed write.
      if (this.#unstoredResults.size > 0) await Promise.allSettled(this.#unstoredResults);
      const known = this.#resultSteps - this.#unstoredResults.size;
      for (const { state, search } of [...this.core.sweeps.values()]) {
        if (state !== 'running' || search === undefined) continue;
        if (reads === 0 || search.source.usesResults) await search.source.prepare(search.state);
      }
      if (known === this.#resultSteps) return;
    }
  }

  addSweep(sweep: Sweep): void {
    this.core.sweeps.set(sweep.id, sweep);
    this.reschedule();
  }

  /**
   * Returns the slot time of a sweep up to now. Returns undefined for a sweep that has ended, because its slot time is
   * in the store.
   */
  slotTime(sweepId: string): SlotTime | undefined {
    const sweep = this.core.sweeps.get(sweepId);
    return sweep && slotTimeOf(sweep.slotTime, this.now());
  }

  /**
   * Rejects a sweep whose sampler runs code that the coordinator does not permit. A command that runs without a
   * coordinator rejects no sampler here. The coordinator that later opens the data folder decides whether to run the
   * sampler.
   * @throws {RejectedError}
   */
  checkSampler({ search }: Pick<SweepSpec, 'search'>): void {
    if (search?.method !== 'optuna' || this.#samplers === undefined) return;
    const code = ownCodeOf(search);
    if (code !== undefined && !this.#samplers.options.allowsOwnCode) throw new RejectedError(ownCodeText(code));
  }

  #samplersOf(options: SamplerOptions): Samplers {
    return new Samplers({
      ...options,
      onReady: () => this.reschedule(),
      onProblem: (sweepId, problem, failures) => {
        // `settle` has already reported the error.
        this.settle(onSamplerProblem(this.core, { sweepId, problem, failures }, this.now())).catch(() => {});
      },
    });
  }

  /**
   * Stops the scheduler and the samplers, and writes the gathered changes. If a change is made after that, its write
   * may fail, because another coordinator may lead by then. Such a change is not acknowledged, so the store does not
   * count as broken.
   */
  async stop(): Promise<void> {
    this.#end();
    await this.#journal.close();
    this.#hasStopped = true;
  }

  /**
   * Stops as `stop` does, but waits at most `limitMs` milliseconds for the writes.
   * @returns whether the changes were written in time
   */
  async stopWithin(limitMs: number): Promise<boolean> {
    this.#end();
    const isWritten = await settlesWithin(limitMs, this.#journal.close());
    this.#hasStopped = true;
    return isWritten;
  }

  #end(): void {
    this.#stopped = true;
    this.#samplers?.closeAll();
  }

  /** Writes the gathered changes immediately. */
  flush(): Promise<void> {
    return this.#journal.flush();
  }

  /** Removes ended sweeps and trials from memory. From then on, they are read from the store. */
  #dropEnded(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'searched' && change.done) this.#samplers?.close(change.sweepId);
      if (change.kind !== 'sweep' || !isEnded(change.state)) continue;
      this.#samplers?.close(change.sweepId);
      this.core.sweeps.delete(change.sweepId);
    }
    forgetEndedTrials(this.core, changes);
  }
}
