/**
 * The rows of the leaderboard, in order. Each config has a row. The rows of its replicates follow if the config is
 * unfolded.
 */
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { ConfigRow } from './board.ts';
import type { RowOrder } from './order.ts';

export interface BoardRow {
  /** The id of the config or the replicate. */
  readonly id: string;
  readonly config: ConfigRow;
  /** The replicate. Undefined if the row is a config. */
  readonly trial: Trial | undefined;
}

export interface BoardRows {
  readonly length: number;
  slice(from: number, to: number): BoardRow[];
  /** Returns the index of the row with this id, or -1 if no row has this id. */
  indexOf(id: string): number;
}

const configRow = (config: ConfigRow): BoardRow => ({ id: config.id, config, trial: undefined });

export function boardRows({ rows: configs }: RowOrder<ConfigRow>, unfolded: ReadonlySet<string>): BoardRows {
  if (unfolded.size > 0) {
    const rows = configs.flatMap((row): BoardRow[] => {
      if (!unfolded.has(row.id) || row.trials.length === 1) return [configRow(row)];
      return [configRow(row), ...row.trials.map((trial) => ({ id: trial.id, config: row, trial }))];
    });
    return {
      length: rows.length,
      slice: (from, to) => rows.slice(from, to),
      indexOf: cached((id) => rows.findIndex((row) => row.id === id)),
    };
  }
  return {
    length: configs.length,
    slice: (from, to) => configs.slice(from, to).map(configRow),
    indexOf: cached((id) => configs.findIndex((row) => row.id === id)),
  };
}

/** Caches the last lookup, because each frame looks up the cursor's row several times. */
function cached(find: (id: string) => number): (id: string) => number {
  let last: { readonly id: string; readonly at: number } | undefined;
  return (id) => {
    if (last?.id !== id) last = { id, at: find(id) };
    return last.at;
  };
}
