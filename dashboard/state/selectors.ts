/** Values that several views and the key handling derive from the model. */
import { SEED } from '../../lib/domain/parameters.ts';
import { bestReplicate } from '../../lib/domain/trial-result.ts';
import type { Failure, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass } from '../../proto/names.ts';
import type { Board, ConfigRow } from './board.ts';
import { logLine } from './log-line.ts';
import type { Model, TrialDetail } from './model.ts';
import { cursorOf, type Ui, windowOf } from './ui.ts';

/** Returns the column that the leaderboard is sorted by. */
export const sortedColumn = (ui: Ui, board: Board): string | undefined => ui.sortColumn ?? board.metrics[0]?.name;

/** Returns the metric that the user chose. If the user chose none, returns the first metric of the leaderboard. */
export function metricShown({ ui, board }: Pick<Model, 'ui' | 'board'>): string {
  if (ui.metric !== undefined && board.metricNames.includes(ui.metric)) return ui.metric;
  return board.metrics[0]?.name ?? '';
}

/**
 * Returns the varying parameters without the seed, most important first. Equally important parameters are sorted by
 * name.
 */
export function parametersByImportance({ state, importance, ui, board }: Model): string[] {
  const names = state.varying.filter((name) => name !== SEED);
  const current = importance?.metric === metricShown({ ui, board }) ? importance : undefined;
  const share = new Map(current?.effects.map((effect) => [effect.parameter, effect.share]));
  return names.toSorted((a, b) => (share.get(b) ?? 0) - (share.get(a) ?? 0) || (a < b ? -1 : 1));
}

/**
 * Returns the parameters of the heat map: the pair that the user chose, or else the two most important parameters.
 */
export function pairShown(model: Model): readonly [string, string] | undefined {
  const names = parametersByImportance(model);
  const chosen = model.ui.pair;
  if (chosen?.every((name) => names.includes(name))) return chosen;
  const [first, second] = names;
  return first === undefined || second === undefined ? undefined : [first, second];
}

/**
 * Returns the epoch whose reconstructions are shown.
 * @param epochsBack the distance from the newest epoch, counted in epochs with reconstructions
 */
export function epochShown({ epochs }: TrialDetail, epochsBack: number): number | undefined {
  return epochs.at(Math.max(0, epochs.length - 1 - epochsBack));
}

/**
 * Returns the last epoch at or before `epoch` that has reconstructions; without such an epoch, the first that has them.
 */
export function epochAt({ epochs }: TrialDetail, epoch: number): number | undefined {
  return epochs.findLast((own) => own <= epoch) ?? epochs[0];
}

/** A marked trial, or a marked config with its best replicate. */
export interface MarkedRow {
  readonly id: string;
  readonly trial: Trial;
  /** Set when a config with several replicates is marked. */
  readonly config: ConfigRow | undefined;
}

/** Returns the marked rows in the order of marking, without rows that no longer exist. */
export function markedRows({ ui, state, board }: Pick<Model, 'ui' | 'state' | 'board'>): MarkedRow[] {
  const [own] = board.metrics;
  return [...ui.marks].flatMap((id): MarkedRow[] => {
    const trial = state.trials.get(id);
    if (trial !== undefined) return [{ id, trial, config: undefined }];
    const config = board.configs[board.at.get(id) ?? -1];
    if (config === undefined) return [];
    const best = bestReplicate(config.trials, own?.name ?? '', own?.goal ?? 'minimize');
    return config.trials.length > 1 ? [{ id, trial: best, config }] : [{ id: best.id, trial: best, config: undefined }];
  });
}

/**
 * Returns all sweeps, newest first. The watched sweep's row comes from the stream, which is usually newer than the
 * list.
 */
export function sweepRows({ sweeps, state }: Pick<Model, 'sweeps' | 'state'>): Sweep[] {
  const watched = state.sweep;
  const known = sweeps.map((sweep) => (sweep.id === watched?.id ? watched : sweep));
  const all = watched === undefined || known.includes(watched) ? known : [...known, watched];
  return all.toSorted((a, b) => b.createdAtMs - a.createdAtMs || Number(b.id) - Number(a.id));
}

/** Returns the sweep under the cursor of the list of sweeps. */
export function sweepUnderCursor(model: Pick<Model, 'sweeps' | 'state' | 'ui'>): Sweep | undefined {
  const sweeps = sweepRows(model);
  const indexOf = (wanted: string) => sweeps.findIndex(({ id }) => id === wanted);
  return sweeps[windowOf(cursorOf(model.ui, 'sweeps'), sweeps.length, 1, indexOf).at];
}

/**
 * Returns a failure as lines without control characters. The first line has the class and the error. The other lines
 * are the program's output.
 */
export function failureLines({ class: failure, message }: Failure): readonly [string, ...string[]] {
  const [error = '', ...output] = message.trim().split('\n').map(logLine);
  return [`${failureClass.of(failure)}: ${error}`, ...output];
}
