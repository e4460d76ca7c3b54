import type { Model } from '../state/model.ts';

/** The metric that the user chose, else the sweep's own. */
export function metricShown({ ui, board }: Pick<Model, 'ui' | 'board'>): string {
  if (ui.metric !== undefined && board.metricNames.includes(ui.metric)) return ui.metric;
  return board.metrics[0]?.name ?? '';
}
