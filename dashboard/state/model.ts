/** Everything that a frame is drawn from. */
import type { GetTrialResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Event, Sweep } from '../../proto/gen/trawl/v1/types.ts';
import type { TerminalStyle } from '../draw/paint.ts';
import type { PixelImage } from '../draw/pixel-image.ts';
import type { Board } from './board.ts';
import type { BoardRows } from './board-rows.ts';
import type { ConfigRow } from './config-row.ts';
import type { CurvePoint } from './curve-cache.ts';
import type { DashboardState } from './reducer.ts';
import type { Summary } from './summary.ts';
import type { Ui } from './ui.ts';

/** What was fetched of one trial. */
export interface TrialDetail {
  readonly answer: GetTrialResponse;
  /** Of which it is known that there are reconstructions, in order. */
  readonly epochs: readonly number[];
  /** By epoch, once they are here. */
  readonly images: ReadonlyMap<number, ReconstructionImage>;
}

export interface ReconstructionImage {
  readonly pixels: PixelImage;
  readonly png: Uint8Array;
  /** Its own number, for terminals that keep pictures. */
  readonly number: number;
}

/** Analysis of variance, as far as the parameters view shows it. */
export interface Importance {
  readonly metric: string;
  /** What was left out, or why there is nothing. */
  readonly why: string;
  /** Share of the variance, largest first. */
  readonly effects: readonly { readonly parameter: string; readonly share: number; readonly p: number | undefined }[];
  readonly interactions: readonly { readonly parameters: readonly [string, string]; readonly share: number }[];
}

/** The connection to the coordinator. */
export interface ConnectionStatus {
  /** Unix milliseconds; undefined: it is there. */
  readonly lostSinceMs: number | undefined;
  readonly why: string;
}

export interface Model {
  readonly state: DashboardState;
  readonly board: Board;
  readonly summary: Summary;
  /** The same, at most a second old: for what is reckoned over all trials. */
  readonly analysedConfigs: readonly ConfigRow[];
  /** Filtered and in the user's order. */
  readonly rows: BoardRows;
  readonly ui: Ui;
  /** Unix milliseconds. */
  readonly now: number;
  readonly curveOf: (trialId: string) => readonly CurvePoint[];
  readonly details: ReadonlyMap<string, TrialDetail>;
  /** Of the trial whose log is shown. */
  readonly log: readonly string[];
  /** Why the trial that is explained does not run, a line each. */
  readonly explanation: readonly string[];
  readonly sweeps: readonly Sweep[];
  /** Worth a line, and from before the dashboard looked; the newest last. */
  readonly earlierEvents: readonly Event[];
  readonly importance: Importance | undefined;
  readonly connection: ConnectionStatus;
  readonly readonly: boolean;
  /** What is special of this showing, such as a replay's speed. */
  readonly banner: string;
  readonly style: TerminalStyle;
  /** Whether the terminal draws pictures itself. */
  readonly kitty: boolean;
}
