/** Views of plain text: help, log, explanation. */

import { sideBySide, wrapped } from '../draw/layout.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import { keyLabel, keysOf } from '../keys.ts';
import type { Model } from '../state/model.ts';
import type { ViewKind } from '../state/ui.ts';

const KEY_COLUMN = 12;
const WIDE = 130;

export function helpView(view: ViewKind, readonly: boolean, columns: number): StyledLine[] {
  const keys = keysOf(view, readonly).map(
    ({ keys: names, about }): StyledLine => ({
      segments: [{ text: names.map(keyLabel).join(' ').padEnd(KEY_COLUMN), style: 'bold' }, { text: ` ${about}` }],
    }),
  );
  const half = Math.ceil(keys.length / 2);
  const width = Math.floor(columns / 2) - 1;
  return [
    styledLine(`keys of the ${view} view`, 'bold'),
    EMPTY_LINE,
    ...(columns >= WIDE ? sideBySide([keys.slice(0, half), keys.slice(half)], [width, width]) : keys),
    EMPTY_LINE,
    styledLine('filter: NAME = != < <= > >= ~ (contains) !~ VALUE, combined with and, or, not, ( )', 'dim'),
    styledLine(
      'names: metrics, parameters, state, agent, trial, config, epoch, attempts, seed, index, backend, failure',
      'dim',
    ),
    styledLine('★ on the Pareto front of both metrics   ● marked   ▸ has replicates (→ shows them)   × failed', 'dim'),
  ];
}

export function logView({ log }: Pick<Model, 'log'>): StyledLine[] {
  return log.length === 0 ? [styledLine('no output yet', 'dim')] : log.map((text) => styledLine(text));
}

/** Draws why a trial is not running, in the coordinator's words. */
export function explainView({ explanation }: Pick<Model, 'explanation'>, columns: number): StyledLine[] {
  if (explanation.length === 0) return [styledLine('waiting for the coordinator...', 'dim')];
  return explanation.flatMap((text) => wrapped(text, columns, undefined, '    '));
}
