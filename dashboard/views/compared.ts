/** What is marked, as the compare view and the overlaid curves show it. */

import { shortId } from '../../lib/text/short-id.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { seriesLetter } from '../draw/plot.ts';
import { bestTrial, type ConfigRow } from '../state/config-row.ts';
import type { Model } from '../state/model.ts';

export interface MarkedRow {
  readonly label: string;
  /** Its own, or the best of its config. */
  readonly trial: Trial;
  /** Where a config of several replicates is marked, not one of them. */
  readonly config: ConfigRow | undefined;
}

/** Side by side no more can be read. */
export const MAX_COMPARED = 6;

/** In the order of marking; what is gone is left out. */
export function markedRows({ ui, state, board }: Pick<Model, 'ui' | 'state' | 'board'>): MarkedRow[] {
  const [own] = board.metrics;
  return [...ui.marks]
    .flatMap((id): Omit<MarkedRow, 'label'>[] => {
      const trial = state.trials.get(id);
      if (trial !== undefined) return [{ trial, config: undefined }];
      const config = board.configs[board.at.get(id) ?? -1];
      if (config === undefined) return [];
      const best = bestTrial(config, own?.name ?? '', own?.goal !== 'maximize');
      return [{ trial: best, config: config.trials.length > 1 ? config : undefined }];
    })
    .slice(0, MAX_COMPARED)
    .map((one, i) => ({ ...one, label: `${seriesLetter(i)} ${shortId(one.config?.id ?? one.trial.id)}` }));
}
