/** A dashboard at work, without a terminal: keys and updates go in, frames come out. */

import { sweepEnded } from '../lib/domain/trial-state.ts';
import { matches } from '../lib/filter/matches.ts';
import type { StyledLine } from '../lib/text/segment.ts';
import { TrawlError } from '../proto/errors.ts';
import type { WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import { agentState, sweepState } from '../proto/names.ts';
import { actionContext, sortedBy, visibleTrials } from './action-context.ts';
import { DetailCache } from './detail-cache.ts';
import type { TerminalStyle } from './draw/paint.ts';
import { keyNames, type Press } from './keys.ts';
import type { Source } from './source.ts';
import type { Effect } from './state/actions.ts';
import { type Board, EMPTY_BOARD, updateBoard } from './state/board.ts';
import { type BoardRows, boardRows } from './state/board-rows.ts';
import type { ConfigRow } from './state/config-row.ts';
import { handleKey } from './state/handle-key.ts';
import type { ConnectionStatus, Model } from './state/model.ts';
import { type Order, orderOf, reorder } from './state/order.ts';
import { changedTrials, type DashboardState, EMPTY_STATE, reduceAll } from './state/reducer.ts';
import { type Summary, summaryOf } from './state/summary.ts';
import type { View } from './state/ui.ts';
import { type Action, initialUi, type Ui, viewOf, withStatus } from './state/ui.ts';
import { boardColumns } from './views/board-columns.ts';
import { frameOf, type Size } from './views/frame.ts';
import { metricShown } from './views/metric-shown.ts';
import { epochAt, epochShown } from './views/panels.ts';

export interface DashboardSettings {
  readonly style: TerminalStyle;
  readonly kitty: boolean;
  readonly readonly: boolean;
  readonly banner: string;
  readonly size: () => Size;
  readonly now: () => number;
  /** Something is to be drawn; called often. */
  readonly onChange: () => void;
  readonly onLeave: () => void;
  readonly onInterrupt: () => void;
  /** The watched sweep's stream is over. */
  readonly onEnded: () => void;
  /** The sweep cannot be watched at all. */
  readonly onFailed: (error: unknown) => void;
}

/** How old what is reckoned over all trials may be. */
const ANALYSED_MS = 1_000;

/** Up to so many trials everything is reckoned anew for each frame. */
const SMALL_SWEEP = 2_000;

/** What the trials come to at one moment: all of a frame that freezing freezes. */
interface OrderedBoard {
  readonly state: DashboardState;
  readonly board: Board;
  readonly order: Order<ConfigRow>;
  readonly orderedBy: string;
}

interface Summarized {
  readonly of: DashboardState;
  /** Whether all rows were there. */
  readonly whole: boolean;
  readonly atMs: number;
  readonly summary: Summary;
}

const NOTHING: Order<ConfigRow> = orderOf<ConfigRow>([], { key: () => undefined, descending: false, keep: () => true });
const BLANK: OrderedBoard = { state: EMPTY_STATE, board: EMPTY_BOARD, order: NOTHING, orderedBy: '' };

export class Dashboard {
  readonly #source: Source;
  readonly #options: DashboardSettings;
  #ui: Ui = initialUi({ kind: 'sweep' });
  #live: OrderedBoard = BLANK;
  #frozen: OrderedBoard | undefined;
  #analysed: { readonly atMs: number; readonly configs: readonly ConfigRow[] } = { atMs: 0, configs: [] };
  #summary: Summarized = { of: EMPTY_STATE, whole: false, atMs: 0, summary: summaryOf(EMPTY_STATE, 0) };
  #rows:
    | { readonly order: Order<ConfigRow>; readonly unfolded: ReadonlySet<string>; readonly rows: BoardRows }
    | undefined;
  #link: ConnectionStatus = { lostSinceMs: undefined, why: '' };
  #waiting: WatchResponse[] = [];
  /** Whether all rows of the newest moment are here. */
  #whole = false;
  #fetched: DetailCache;
  #watching = new AbortController();
  /** The watched sweep's stream is over, and since when. */
  #over: { readonly sweepId: string; readonly sinceMs: number } | undefined;

  constructor(source: Source, options: DashboardSettings) {
    this.#source = source;
    this.#options = options;
    this.#fetched = this.#fetcher('');
  }

  /** Watches a sweep in place of the one before. @throws {TrawlError} when there is none of that name */
  async watch(sweep: string): Promise<void> {
    const id = await this.#source.find(sweep);
    this.stop();
    this.#watching = new AbortController();
    this.#fetched = this.#fetcher(id);
    this.#live = BLANK;
    this.#frozen = undefined;
    this.#waiting = [];
    this.#whole = false;
    this.#over = undefined;
    this.#link = { lostSinceMs: undefined, why: '' };
    const { stack, status } = this.#ui;
    this.#ui = { ...initialUi(stack[0]), stack, status };
    void this.#follow(id, this.#watching.signal);
  }

  stop(): void {
    this.#watching.abort();
    this.#fetched.stop();
  }

  /** Takes in what came since the last time, and asks for what the screen lacks. @returns whether anything came */
  tick(): boolean {
    const any = this.#waiting.length > 0;
    this.#fold();
    this.#renewSummary();
    this.#fetch();
    return any;
  }

  /** Whether everything that the frame shows is there. */
  get settled(): boolean {
    return this.#whole && this.#waiting.length === 0 && this.#fetched.idle;
  }

  /** Shows another place than the leaderboard. */
  open(view: View): void {
    this.#ui = { ...this.#ui, stack: view.kind === 'sweep' ? [view] : [{ kind: 'sweep' }, view] };
  }

  press(pressed: Press): void {
    for (const key of keyNames(pressed)) {
      const before = this.#ui;
      const { ui, effect } = handleKey(this.#ui, key, actionContext(this.model(), this.#options.size()));
      this.#ui = ui;
      if (ui.frozen !== before.frozen) this.#frozen = ui.frozen ? this.#live : undefined;
      if (effect !== undefined) this.#run(effect);
      // A question is answered by who has read it, not by what was typed before it stood there.
      if (ui.prompt?.kind === 'confirm' && before.prompt === undefined) break;
    }
    this.#fetch();
    this.#options.onChange();
  }

  frame(): StyledLine[] {
    return frameOf(this.model(), this.#options.size());
  }

  model(): Model {
    const { style, kitty, readonly, banner, now } = this.#options;
    const shown = this.#shown();
    return {
      state: shown.state,
      board: shown.board,
      summary: this.#summaryOf(shown.state),
      analysedConfigs: this.#analysed.configs,
      rows: this.#rowsOf(shown.order),
      ui: this.#ui,
      now: now(),
      curveOf: (id) => this.#fetched.curves.get(id),
      details: this.#fetched.details,
      log: this.#fetched.log,
      explanation: this.#fetched.explanation,
      sweeps: this.#fetched.sweeps,
      earlierEvents: this.#fetched.earlierEvents,
      importance: this.#fetched.importance,
      connection: this.#link,
      readonly,
      banner,
      style,
      kitty,
    };
  }

  #fetcher(sweepId: string): DetailCache {
    return new DetailCache(this.#source, sweepId, {
      onChange: this.#options.onChange,
      // While the coordinator is away that is said already.
      onError: (error) => {
        if (this.#link.lostSinceMs === undefined) this.#say(error);
      },
    });
  }

  async #follow(sweepId: string, signal: AbortSignal): Promise<void> {
    const onAway = (why: string) => {
      this.#link = { lostSinceMs: this.#options.now(), why };
      this.#options.onChange();
    };
    const onBack = () => {
      this.#link = { lostSinceMs: undefined, why: '' };
      this.#fetched.invalidate();
      this.#options.onChange();
    };
    try {
      for await (const update of this.#source.watch(sweepId, { signal, onAway, onBack })) {
        if (signal.aborted) return;
        this.#waiting.push(update);
        const part = update.update;
        this.#whole = !(part?.$case === 'snapshot' ? part.snapshot.more : part?.delta.more);
      }
      if (signal.aborted) return;
      this.#over = { sweepId, sinceMs: this.#options.now() };
      this.#options.onEnded();
    } catch (error) {
      if (!signal.aborted) this.#options.onFailed(error);
    }
  }

  /** After its end, when trials of it are retried, here or elsewhere. */
  #followAgain(): void {
    if (this.#over === undefined) return;
    const { sweepId } = this.#over;
    this.#over = undefined;
    void this.#follow(sweepId, this.#watching.signal);
  }

  /** Whether the sweep whose stream is over runs again, by a list of the sweeps that is newer than its end. */
  get #runsAgain(): boolean {
    if (this.#over === undefined || this.#fetched.sweepsRequestedMs <= this.#over.sinceMs) return false;
    const { sweepId } = this.#over;
    return this.#fetched.sweeps.some((sweep) => sweep.id === sweepId && !sweepEnded(sweep));
  }

  #fold(): void {
    if (this.#waiting.length === 0) return;
    const updates = this.#waiting;
    this.#waiting = [];
    const changed = changedTrials(updates);
    const state = reduceAll(this.#live.state, updates);
    const { board, changed: configs } = updateBoard(this.#live.board, state, changed);
    for (const id of changed ?? []) {
      const trial = state.trials.get(id);
      if (trial !== undefined) this.#fetched.curves.append(trial);
    }
    const same = configs !== undefined && this.#live.orderedBy === orderName(this.#ui, board);
    const live = { ...this.#live, state, board };
    this.#live = same ? { ...live, order: reorder(live.order, configs) } : { ...live, orderedBy: '' };
    const now = this.#options.now();
    if (now - this.#analysed.atMs >= ANALYSED_MS) this.#analysed = { atMs: now, configs: board.configs };
  }

  /** The frozen picture or the live one, in the order that the user asked for. */
  #shown(): OrderedBoard {
    const picture = this.#frozen ?? this.#live;
    const orderedBy = orderName(this.#ui, picture.board);
    if (picture.orderedBy === orderedBy) return picture;
    const shown = { ...picture, order: this.#orderOf(picture), orderedBy };
    if (this.#frozen !== undefined) this.#frozen = shown;
    else this.#live = shown;
    return shown;
  }

  #orderOf({ state, board }: OrderedBoard): Order<ConfigRow> {
    const { filter, filterText, reversed } = this.#ui;
    const curveOf = (id: string) => this.#fetched.curves.get(id);
    const { columns: width } = this.#options.size();
    const context = { board, varying: state.varying, curveOf, now: this.#options.now(), width };
    const name = sortedBy(this.#ui, board);
    const column = boardColumns(context).find(({ header }) => header.trimEnd() === name);
    return orderOf(board.configs, {
      key: column?.key ?? (() => undefined),
      descending: (column?.descending ?? false) !== reversed,
      keep: filterText === '' ? () => true : ({ trials }) => trials.some((trial) => matches(filter, trial)),
    });
  }

  /** Of a large sweep as of a tick before: it takes a walk over all trials, and an answer to a key has no time for that. */
  #summaryOf(state: DashboardState): Summary {
    const { of, atMs, summary } = this.#summary;
    const now = this.#options.now();
    const fresh = of === state && now === atMs;
    const large = state.trials.size > SMALL_SWEEP && state.sweep?.id === of.sweep?.id;
    return fresh || large ? summary : this.#summarize(state, now);
  }

  #summarize(of: DashboardState, atMs: number): Summary {
    const summary = summaryOf(of, atMs);
    this.#summary = { of, whole: this.#whole, atMs, summary };
    return summary;
  }

  #renewSummary(): void {
    const { state } = this.#frozen ?? this.#live;
    const { atMs, whole } = this.#summary;
    const now = this.#options.now();
    if (now - atMs >= ANALYSED_MS || (this.#whole && !whole)) this.#summarize(state, now);
  }

  #rowsOf(order: Order<ConfigRow>): BoardRows {
    const { unfolded } = this.#ui;
    if (this.#rows?.order !== order || this.#rows.unfolded !== unfolded) {
      this.#rows = { order, unfolded, rows: boardRows(order, unfolded) };
    }
    return this.#rows.rows;
  }

  #fetch(): void {
    const model = this.model();
    const { ui, state } = model;
    const now = this.#options.now();
    if (state.sweep === undefined || this.#link.lostSinceMs !== undefined) return;
    const view = viewOf(ui);
    const trials = visibleTrials(model, this.#options.size());
    this.#fetched.requestCurves(trials, now);
    const logged = view.kind === 'trial' || view.kind === 'log' ? state.trials.get(view.trialId) : undefined;
    this.#fetched.followLog(logged);
    if (view.kind === 'trial') {
      const [trial] = trials;
      if (trial !== undefined) this.#fetched.requestTrial(trial, now, (detail) => epochShown(detail, ui.epochsBack));
    }
    if (view.kind === 'compare') {
      const first = trials.map(({ id }) => model.details.get(id)).find((detail) => detail && detail.epochs.length > 0);
      const epoch = first && epochShown(first, ui.epochsBack);
      for (const trial of trials) {
        this.#fetched.requestTrial(trial, now, (detail) => (epoch === undefined ? undefined : epochAt(detail, epoch)));
      }
    }
    if (view.kind === 'explain') this.#fetched.requestExplanation(view.trialId, now);
    if (view.kind === 'events') this.#fetched.requestEarlierEvents(state.firstSeq, now);
    if (this.#runsAgain) this.#followAgain();
    if (view.kind === 'sweeps' || this.#over !== undefined) this.#fetched.requestSweeps(now);
    if (view.kind === 'parameters') {
      if (this.#analysed.configs.length === 0) this.#analysed = { atMs: now, configs: model.board.configs };
      this.#fetched.requestImportance(() => [...state.trials.values()], metricShown(model), state.sweep.axes, now);
    }
  }

  #run(effect: Effect): void {
    switch (effect.kind) {
      case 'leave':
        this.#options.onLeave();
        return;
      case 'interrupt':
        this.#options.onInterrupt();
        return;
      case 'watch':
        this.watch(effect.sweep).catch((error) => this.#say(error));
        return;
      case 'act':
        this.#carryOut(effect.act).then(
          (done) => {
            this.#ui = withStatus(this.#ui, `${effect.act.what}: ${done}`);
            this.#options.onChange();
          },
          (error) => this.#say(error, `${effect.act.what}: `),
        );
    }
  }

  /** @returns what it came to, as a sentence */
  async #carryOut(act: Action): Promise<string> {
    if ('agentId' in act) {
      const { id, state, busy } = await this.#source.drain(act.agentId, act.what === 'drain');
      return `agent ${id} is ${agentState.of(state)}; ${busy} of its slots are busy`;
    }
    if (act.what === 'retry') {
      const { sweep, retried } = await this.#source.retry(act.sweepId, act.which);
      if (retried > 0 && this.#over?.sweepId === sweep.id) this.#followAgain();
      const trials = `${retried === 1 ? '1 trial' : `${retried} trials`} of sweep ${sweep.id} (${sweep.name})`;
      return `${trials} ${retried === 1 ? 'waits' : 'wait'} again; it is ${sweepState.of(sweep.state)}`;
    }
    if (act.what === 'priority') {
      const sweep = await this.#source.prioritize(act.sweepId, act.priority);
      return `sweep ${sweep.id} (${sweep.name}) has priority ${sweep.priority}`;
    }
    const { id, name, state, counts } = await this.#source.controlSweep(act.sweepId, act.what);
    const waiting = (counts?.pending ?? 0) + (counts?.offered ?? 0);
    return `sweep ${id} (${name}) is ${sweepState.of(state)}; ${counts?.running ?? 0} trials run, ${waiting} wait`;
  }

  #say(error: unknown, before = ''): void {
    const known = error instanceof TrawlError ? error.message : error instanceof Error ? error.message : String(error);
    this.#ui = withStatus(this.#ui, before + known, true);
    this.#options.onChange();
  }
}

/** Two orders of the same name are the same, whatever the rows. */
function orderName(ui: Ui, board: Board): string {
  return JSON.stringify([sortedBy(ui, board), ui.reversed, ui.filterText, board.metrics]);
}
