/** The leaderboard's lines in their order: configs, and below an unfolded one its replicates. */
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { ConfigRow } from './config-row.ts';
import type { Order } from './order.ts';

export interface BoardRow {
  /** The config's id, or the trial's. */
  readonly id: string;
  readonly config: ConfigRow;
  /** Of a replicate; undefined: the line is the config's. */
  readonly trial: Trial | undefined;
}

export interface BoardRows {
  readonly length: number;
  slice(from: number, to: number): BoardRow[];
  /** -1: it is not there. */
  indexOf(id: string): number;
}

const configLine = (config: ConfigRow): BoardRow => ({ id: config.id, config, trial: undefined });

export function boardRows({ rows: configs }: Order<ConfigRow>, unfolded: ReadonlySet<string>): BoardRows {
  if (unfolded.size > 0) {
    const rows = configs.flatMap((row): BoardRow[] => {
      if (!unfolded.has(row.id) || row.trials.length === 1) return [configLine(row)];
      return [configLine(row), ...row.trials.map((trial) => ({ id: trial.id, config: row, trial }))];
    });
    return {
      length: rows.length,
      slice: (from, to) => rows.slice(from, to),
      indexOf: remembering((id) => rows.findIndex((row) => row.id === id)),
    };
  }
  // The usual case, whatever the sweep's size: nothing is made but what is on the screen.
  return {
    length: configs.length,
    slice: (from, to) => configs.slice(from, to).map(configLine),
    indexOf: remembering((id) => configs.findIndex((row) => row.id === id)),
  };
}

/** The cursor's row is asked for several times a frame. */
function remembering(find: (id: string) => number): (id: string) => number {
  let last: { readonly id: string; readonly at: number } | undefined;
  return (id) => {
    if (last?.id !== id) last = { id, at: find(id) };
    return last.at;
  };
}
