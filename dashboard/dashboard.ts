/**
 * The dashboard, independent of a terminal. The inputs are keys and updates. The output is a model, which has the data
 * of one frame (state/model.ts).
 */
import { errorMessage } from '../lib/text/error-message.ts';
import { type ParameterColumns, parameterColumns } from '../lib/text/parameter-columns.ts';
import type { Sweep, Trial } from '../proto/gen/trawl/v1/types.ts';
import { actionContext, previewedTrial } from './action-context.ts';
import { DetailCache } from './detail-cache.ts';
import { type KeyPress, keyNames } from './keys.ts';
import { requestView } from './request-view.ts';
import { runAction } from './run-action.ts';
import type { MeanDifference, Source } from './source.ts';
import type { ActionContext, KeyEffect } from './state/actions.ts';
import { type Board, type ConfigRow, EMPTY_BOARD, updateBoard } from './state/board.ts';
import { boardColumns } from './state/board-columns.ts';
import { chosenOrder } from './state/board-order.ts';
import { type BoardRows, boardRows } from './state/board-rows.ts';
import { handleKey } from './state/handle-key.ts';
import { waitsForRows } from './state/held-keys.ts';
import type { Model } from './state/model.ts';
import { handleMouse, type MouseEvent } from './state/mouse.ts';
import type { RowOrder } from './state/order.ts';
import { type DashboardState, EMPTY_STATE, reduceAll } from './state/reducer.ts';
import { type ReplayClock, replayText, shownAt } from './state/replay-clock.ts';
import { epochShown } from './state/selectors.ts';
import type { StartProgress } from './state/start-progress.ts';
import { timeLeftOf } from './state/summary.ts';
import { SummaryCache } from './state/summary-cache.ts';
import { type Action, initialUi, type Ui, type View, viewOf, withStatus } from './state/ui.ts';
import { SweepStream } from './sweep-stream.ts';
import type { Size, TerminalStyle } from './terminal.ts';

export interface DashboardSettings {
  readonly style: TerminalStyle;
  readonly kitty: boolean;
  readonly readonly: boolean;
  readonly banner: string;
  /** The steps that the command has taken since its start. They are shown until the sweep is known. */
  readonly progress?: StartProgress | undefined;
  /** The size of the first frame. */
  readonly size: Size;
  readonly now: () => number;
  readonly onLeave: () => void;
  readonly onInterrupt: () => void;
  /** Receives text for the clipboard. */
  readonly onCopy: (text: string) => void;
  /** Called when the watched sweep's stream has ended. */
  readonly onEnded: () => void;
  /** Called when the sweep cannot be watched. */
  readonly onFailed: (error: unknown) => void;
}

const ANALYSIS_INTERVAL_MS = 1_000;

/** While updates arrive, models are published at this interval. */
export const FRAME_MS = 100;

/** While no updates arrive, models are published at this interval, because durations and rates still change. */
const IDLE_FRAME_MS = 1_000;

/** A message disappears after this time, or with the next key. A message about a failure stays until the next key. */
export const MESSAGE_MS = 8_000;

/** The part of the model that a frozen display keeps. */
interface SweepData {
  readonly state: DashboardState;
  readonly board: Board;
}

interface CachedParameters {
  readonly varying: readonly string[];
  readonly configs: number;
  readonly columns: ParameterColumns<Trial>;
}

/**
 * Whether a running sweep has pending trials but no running trial. If so, the stream has no updates, and the time left
 * is taken from the list of sweeps.
 */
const isWaiting = ({ counts, state }: Sweep): boolean =>
  state === 'SWEEP_STATE_RUNNING' &&
  counts !== undefined &&
  counts.running === 0 &&
  counts.pending + counts.offered > 0;

const EMPTY: SweepData = { state: EMPTY_STATE, board: EMPTY_BOARD };

export class Dashboard {
  readonly #source: Source;
  readonly #settings: DashboardSettings;
  #ui: Ui = initialUi({ kind: 'sweep' });
  #live: SweepData = EMPTY;
  #frozen: SweepData | undefined;
  #analysis: { readonly atMs: number; readonly configs: readonly ConfigRow[] } = { atMs: 0, configs: [] };
  readonly #summaries = new SummaryCache({
    sweeps: () => this.#details.sweeps,
    isComplete: () => this.#stream.complete,
  });
  #rows:
    | { readonly order: RowOrder<ConfigRow>; readonly unfolded: ReadonlySet<string>; readonly rows: BoardRows }
    | undefined;
  #parameters: CachedParameters | undefined;
  #differences: { readonly key: string; readonly found: readonly (MeanDifference | undefined)[] } | undefined;
  /** The id of the trial that was previewed when details were last requested. */
  #previewed: string | undefined;
  #sweepId = '';
  #stream: SweepStream;
  #details: DetailCache;
  #size: Size;
  #contentLines = 0;
  #listener: () => void = () => {};
  #snapshot: Model | undefined;
  #changed = false;
  #closed = false;
  #publishedAtMs = 0;
  /** When updates were last applied. */
  #updatedAtMs = 0;
  /** The message that was shown at the last tick, and when it was first shown. */
  #message: { readonly status: Ui['status']; readonly sinceMs: number } = { status: undefined, sinceMs: 0 };
  /** The keys that are handled when the rows of the sweep have arrived. */
  #heldKeys: string[] = [];
  /** Whether all rows of the sweep have arrived since the sweep was opened. */
  #hasRows = false;
  readonly #onChange = () => {
    this.#changed = true;
  };

  constructor(source: Source, settings: DashboardSettings) {
    this.#source = source;
    this.#settings = settings;
    this.#size = settings.size;
    settings.progress?.onStep(this.#onChange);
    this.#stream = this.#createStream('');
    this.#details = this.#createDetails('');
  }

  /**
   * Watches another sweep instead of the current sweep.
   * @throws {TrawlError} when the sweep does not exist
   */
  async watch(sweep: string): Promise<void> {
    const id = await this.#source.find(sweep);
    if (this.#closed) return;
    const { stack, status } = this.#ui;
    this.#ui = { ...initialUi(stack[0]), stack, status };
    this.#start(id);
  }

  /**
   * Stops permanently. If a call of `watch` is still looking up its sweep, the call then does not start to watch the
   * sweep.
   */
  close(): void {
    this.#closed = true;
    this.stop();
  }

  stop(): void {
    this.#stream.stop();
    this.#details.stop();
  }

  point(event: MouseEvent): void {
    const { ui, effect } = handleMouse(this.#ui, event, actionContext(this.#build()));
    this.#ui = ui;
    if (effect !== undefined) this.#run(effect);
    this.#publishAfterKey();
  }

  /**
   * Registers the listener for new models.
   * @returns a function that removes the listener
   */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listener = listener;
    return () => {
      this.#listener = () => {};
    };
  };

  /** Returns the newest model. */
  readonly model = (): Model => {
    this.#snapshot ??= this.#build();
    return this.#snapshot;
  };

  /**
   * Applies the updates since the last call, and requests the data that the screen lacks. Publishes a model if anything
   * has changed, or if the last model is older than IDLE_FRAME_MS.
   */
  tick(): void {
    if (this.#stream.hasUpdates) this.#changed = true;
    this.#applyUpdates();
    this.#clearOldMessage();
    this.#summaries.refresh((this.#frozen ?? this.#live).state, this.#settings.now());
    this.#requestDetails();
    if (this.#changed || performance.now() - this.#publishedAtMs >= IDLE_FRAME_MS) this.publish();
  }

  #clearOldMessage(): void {
    const { status, prompt } = this.#ui;
    const now = performance.now();
    if (status !== this.#message.status) this.#message = { status, sinceMs: now };
    if (status === undefined || status.failed || prompt !== undefined) return;
    if (now - this.#message.sinceMs < MESSAGE_MS) return;
    this.#ui = { ...this.#ui, status: undefined };
    this.#changed = true;
  }

  /** Publishes a model of the current state. */
  publish(): void {
    this.#changed = false;
    this.#publishedAtMs = performance.now();
    this.#snapshot = this.#build();
    this.#listener();
  }

  /** Sets the total number of lines of the scrollable text. */
  readonly setContentLines = (lines: number): void => {
    this.#contentLines = lines;
  };

  resize(size: Size): void {
    this.#size = size;
    this.publish();
  }

  /** Whether all data of the frame has arrived. */
  get settled(): boolean {
    return this.#stream.complete && !this.#stream.hasUpdates && this.#details.idle;
  }

  /** Opens a view on top of the leaderboard. */
  open(view: View): void {
    this.#ui = { ...this.#ui, stack: view.kind === 'sweep' ? [view] : [{ kind: 'sweep' }, view] };
  }

  press(press: KeyPress): void {
    for (const key of keyNames(press)) {
      if (!this.#hasRows && waitsForRows(this.#ui, key, this.#heldKeys)) {
        this.#heldKeys.push(key);
        continue;
      }
      const before = this.#ui;
      this.#handle(key, actionContext(this.#build()));
      // The remaining keys were typed before the question appeared, so they must not answer the question.
      if (this.#ui.prompt?.kind === 'confirm' && before.prompt === undefined) break;
    }
    this.#publishAfterKey();
  }

  #handle(key: string, context: ActionContext): void {
    const { frozen } = this.#ui;
    const { ui, effect } = handleKey(this.#ui, key, context);
    this.#ui = ui;
    if (ui.frozen !== frozen) this.#frozen = ui.frozen ? this.#live : undefined;
    if (effect !== undefined) this.#run(effect);
  }

  /** Handles the held keys. Keys that change the sweep are ignored, because the user did not see what they apply to. */
  #handleHeldKeys(): void {
    for (const key of this.#heldKeys.splice(0)) {
      this.#handle(key, { ...actionContext(this.#build()), readonly: true });
    }
  }

  /**
   * Applies the updates that have arrived, but at most once per FRAME_MS, and publishes a model. Called after a key or
   * a mouse event is handled, and not before, so that the event applies to the rows that the user saw.
   */
  #publishAfterKey(): void {
    if (performance.now() - this.#updatedAtMs >= FRAME_MS) this.#applyUpdates();
    this.#requestDetails();
    this.publish();
  }

  #build(): Model {
    const { style, kitty, readonly, banner } = this.#settings;
    const details = this.#details;
    const replay = this.#replay();
    const now = this.#settings.now();
    const curveOf = (id: string) => details.curves.get(id);
    const { state, board, columns, summary } = this.#shown(curveOf, now);
    return {
      size: this.#size,
      contentLines: this.#contentLines,
      state,
      board,
      summary,
      analyzedConfigs: this.#analysis.configs,
      columns,
      rows: this.#rowsOf(board.chosen.order),
      ui: this.#ui,
      now,
      curveOf,
      slotOf: details.slotOf,
      details: details.details,
      log: details.log,
      explanation: details.explanation,
      sweeps: details.sweeps,
      bestOf: details.bestOf,
      rungs: details.rungs,
      earlierEvents: details.earlierEvents,
      importance: details.importance,
      differencesOf: this.#differencesOf,
      connection: this.#stream.connection,
      readonly: readonly || this.#source.readonly === true,
      starting: this.#settings.progress,
      banner: replay === undefined ? banner : replayText(replay.clock, replay.realMs),
      replay,
      style,
      kitty,
    };
  }

  #createStream(sweepId: string): SweepStream {
    const { now, onEnded, onFailed } = this.#settings;
    const onReconnect = () => this.#details.invalidate();
    return new SweepStream(this.#source, sweepId, {
      now,
      onChange: this.#onChange,
      onReconnect,
      onEnded: () => {
        this.#onChange();
        onEnded();
      },
      onFailed,
    });
  }

  #createDetails(sweepId: string): DetailCache {
    return new DetailCache(this.#source, sweepId, {
      onChange: this.#onChange,
      onError: (error) => {
        if (this.#stream.connection.lostSinceMs === undefined) this.#showError(error);
      },
    });
  }

  #applyUpdates(): void {
    this.#updatedAtMs = performance.now();
    if (!this.#stream.hasUpdates) return;
    const { state, changed } = reduceAll(this.#live.state, this.#stream.takeUpdates());
    for (const trial of changed ?? []) this.#details.curves.append(trial);
    const board = updateBoard(this.#live.board, state, changed);
    this.#live = { state, board };
    const now = this.#settings.now();
    if (now - this.#analysis.atMs >= ANALYSIS_INTERVAL_MS) this.#analysis = { atMs: now, configs: board.configs };
    if (!this.#hasRows && this.#stream.complete) {
      this.#hasRows = true;
      this.#handleHeldKeys();
    }
  }

  /**
   * Returns the data to show, together with the summary and the leaderboard's columns. The data is the frozen data if
   * the display is frozen, and the live data otherwise. The board has the sort order that the user chose.
   */
  #shown(curveOf: Model['curveOf'], now: number) {
    const { state, board } = this.#frozen ?? this.#live;
    const { columns: width } = this.#size;
    const summary = this.#summaries.of(state, this.#settings.now());
    const timeLeft = (trialId: string) => timeLeftOf(summary, trialId, now);
    const parameters = this.#parametersOf(state, board);
    const columns = boardColumns({ board, parameters, curveOf, timeLeft, now, width });
    const shown = { state, board: { ...board, chosen: chosenOrder(board, columns, this.#ui) } };
    if (this.#frozen !== undefined) this.#frozen = shown;
    else this.#live = shown;
    return { ...shown, columns, summary };
  }

  #parametersOf({ varying }: DashboardState, { configs }: Board): ParameterColumns<Trial> {
    const known = this.#parameters;
    if (known?.varying === varying && known.configs === configs.length) return known.columns;
    const columns = parameterColumns(
      configs.map(({ trials: [first] }) => first),
      varying,
    );
    this.#parameters = { varying, configs: configs.length, columns };
    return columns;
  }

  #rowsOf(order: RowOrder<ConfigRow>): BoardRows {
    const { unfolded } = this.#ui;
    if (this.#rows?.order !== order || this.#rows.unfolded !== unfolded) {
      this.#rows = { order, unfolded, rows: boardRows(order, unfolded) };
    }
    return this.#rows.rows;
  }

  readonly #differencesOf: Model['differencesOf'] = (sets) => {
    const key = JSON.stringify(sets);
    if (this.#differences?.key !== key) this.#differences = { key, found: this.#source.differences(sets) };
    return this.#differences.found;
  };

  /** Requests the data that the current view shows but the Watch stream does not contain. */
  #requestDetails(): void {
    const model = this.#build();
    const { ui, state } = model;
    if (state.sweep === undefined || model.connection.lostSinceMs !== undefined) return;
    const now = this.#settings.now();
    const details = this.#details;
    const view = viewOf(ui);
    if (view.kind === 'parameters' && this.#analysis.configs.length === 0)
      this.#analysis = { atMs: now, configs: model.board.configs };
    requestView(details, model, state.sweep, now);
    this.#requestPreview(previewedTrial(model), ui, now);
    this.#stream.restartIfRunning(details.sweeps, details.sweepsRequestedMs);
    if (view.kind === 'sweeps' || this.#stream.ended || isWaiting(state.sweep)) details.requestSweeps(now);
  }

  /** Requests the details of the trial under the cursor once the cursor rests on its row. */
  #requestPreview(trial: Trial | undefined, { epochsBack }: Ui, now: number): void {
    const rests = trial !== undefined && trial.id === this.#previewed;
    this.#previewed = trial?.id;
    if (rests) this.#details.requestTrial(trial, now, (detail) => epochShown(detail, epochsBack));
  }

  #run(effect: KeyEffect): void {
    switch (effect.kind) {
      case 'leave':
        this.#settings.onLeave();
        return;
      case 'interrupt':
        this.#settings.onInterrupt();
        return;
      case 'copy':
        this.#settings.onCopy(effect.text);
        return;
      case 'watch':
        this.watch(effect.sweep).catch((error) => this.#showError(error));
        return;
      case 'replay':
        this.#setReplay(effect.clock);
        return;
      case 'action':
        void this.#runAction(effect.action);
    }
  }

  #replay(): Model['replay'] {
    const { replay } = this.#source;
    return replay && { clock: replay.clock(), realMs: Date.now() };
  }

  /** Changes the clock of the replay. A move back in time starts from a new snapshot, without the later changes. */
  #setReplay(clock: ReplayClock): void {
    const { replay } = this.#source;
    if (replay === undefined) return;
    const now = Date.now();
    const isBack = shownAt(clock, now) < shownAt(replay.clock(), now);
    replay.set(clock);
    if (isBack) this.#start(this.#sweepId);
  }

  /** Follows a sweep from a new snapshot. */
  #start(sweepId: string): void {
    this.stop();
    this.#sweepId = sweepId;
    this.#stream = this.#createStream(sweepId);
    this.#details = this.#createDetails(sweepId);
    this.#live = EMPTY;
    this.#hasRows = false;
    this.#frozen = undefined;
    this.#analysis = { atMs: 0, configs: [] };
    this.#stream.start();
  }

  async #runAction(action: Action): Promise<void> {
    try {
      const { text, retriedSweepId } = await runAction(this.#source, action);
      if (retriedSweepId !== undefined) this.#stream.restart(retriedSweepId);
      this.#ui = withStatus(this.#ui, `${action.name}: ${text}`);
      this.#onChange();
    } catch (error) {
      this.#showError(error, `${action.name}: `);
    }
  }

  #showError(error: unknown, prefix = ''): void {
    this.#ui = withStatus(this.#ui, prefix + errorMessage(error), true);
    this.#onChange();
  }
}
