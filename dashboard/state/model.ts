/** The data that a frame is drawn from. */
import type { GetTrialResponse, ListRungsResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Config, Event, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { PixelImage } from '../draw/pixel-image.ts';
import type { ParameterImportance, Source } from '../source.ts';
import type { Size, TerminalStyle } from '../terminal.ts';
import type { Board, ConfigRow } from './board.ts';
import type { BoardColumn } from './board-columns.ts';
import type { BoardRows } from './board-rows.ts';
import type { ReportPoint } from './curve-cache.ts';
import type { LogText } from './log-text.ts';
import type { DashboardState } from './reducer.ts';
import type { ReplayClock } from './replay-clock.ts';
import type { StartProgress } from './start-progress.ts';
import type { Summary } from './summary.ts';
import type { Ui } from './ui.ts';

/** The fetched details of one trial. */
export interface TrialDetail {
  readonly answer: GetTrialResponse;
  /** Epochs with reconstructions, ascending. */
  readonly epochs: readonly number[];
  /** Fetched images by epoch. */
  readonly images: ReadonlyMap<number, ReconstructionImage>;
}

export interface ReconstructionImage {
  readonly pixels: PixelImage;
  readonly png: Uint8Array;
  /** The number under which a terminal stores the image. */
  readonly number: number;
}

/** The connection to the coordinator. */
export interface ConnectionStatus {
  /** When the connection was lost, in Unix milliseconds. Undefined while the connection is up. */
  readonly lostSinceMs: number | undefined;
  readonly reason: string;
}

export interface Model {
  readonly size: Size;
  /** The number of lines of the text that the body scrolls through. */
  readonly contentLines: number;
  readonly state: DashboardState;
  readonly board: Board;
  readonly summary: Summary;
  /**
   * The configs of `board` or of an earlier board, updated at most once per second. Values that depend on all trials
   * are computed from these configs.
   */
  readonly analyzedConfigs: readonly ConfigRow[];
  /** The columns of the leaderboard, the most important first. */
  readonly columns: readonly BoardColumn[];
  /** The filtered configs in the user's order. */
  readonly rows: BoardRows;
  readonly ui: Ui;
  /** The current time in Unix milliseconds. */
  readonly now: number;
  readonly curveOf: (trialId: string) => readonly ReportPoint[];
  /** Returns the slot of a running trial's latest attempt; undefined until the slot is known. */
  readonly slotOf: (trial: Trial) => number | undefined;
  readonly details: ReadonlyMap<string, TrialDetail>;
  /** The log of the open trial. */
  readonly log: LogText;
  /** The lines that explain why the open trial is not running, or how it ended. */
  readonly explanation: readonly string[];
  readonly sweeps: readonly Sweep[];
  /** Returns the best configs of a sweep, best first; undefined until the configs are known. */
  readonly bestOf: (sweepId: string) => readonly Config[] | undefined;
  /** Undefined until the rungs are known. */
  readonly rungs: ListRungsResponse | undefined;
  /** Notable events from before the first snapshot, oldest first. */
  readonly earlierEvents: readonly Event[];
  readonly importance: ParameterImportance | undefined;
  /** Compares the mean of each set of results with the mean of the first set. */
  readonly differencesOf: Source['differences'];
  readonly connection: ConnectionStatus;
  /** The steps that the command has taken since its start. They are shown until the sweep is known. */
  readonly starting: Pick<StartProgress, 'heading' | 'steps'> | undefined;
  /** The clock of the replay, and the real time in Unix milliseconds. Undefined if no replay is shown. */
  readonly replay: { readonly clock: ReplayClock; readonly realMs: number } | undefined;
  readonly readonly: boolean;
  /** A notice in the header, such as the speed of a replay. */
  readonly banner: string;
  readonly style: TerminalStyle;
  /** Whether the terminal supports Kitty's graphics protocol. */
  readonly kitty: boolean;
}
