import { EMPTY_LINE, line, type StyledLine } from '../../lib/text/segment.ts';
import { sideBySide, wrapped } from '../draw/layout.ts';
import { keyLabel, keysOf } from '../keys.ts';
import type { Model } from '../state/model.ts';
import type { ViewKind } from '../state/ui.ts';

const KEY_COLUMN = 12;
/** Room for two columns of keys. */
const WIDE = 130;

/** What works in a view, from the one table of keys. */
export function helpView(of: ViewKind, readonly: boolean, columns: number): StyledLine[] {
  const keys = keysOf(of, readonly).map(
    ({ keys: names, about }): StyledLine => ({
      segments: [{ text: names.map(keyLabel).join(' ').padEnd(KEY_COLUMN), style: 'bold' }, { text: ` ${about}` }],
    }),
  );
  const half = Math.ceil(keys.length / 2);
  const width = Math.floor(columns / 2) - 1;
  return [
    line(`keys of the ${of} view`, 'bold'),
    EMPTY_LINE,
    ...(columns >= WIDE ? sideBySide([keys.slice(0, half), keys.slice(half)], [width, width]) : keys),
    EMPTY_LINE,
    line('filters: name, then = != < <= > >= ~ (contains) !~, joined by and, or, not and brackets', 'dim'),
    line(
      'names: metrics, parameters, state, agent, trial, config, epoch, attempts, seed, index, backend, failure',
      'dim',
    ),
    line('★ none is better in both metrics   ● marked   ▸ replicates: → unfolds   × failed', 'dim'),
  ];
}

/** Why a trial does not run, in the coordinator's words. */
export function explainView({ explanation }: Pick<Model, 'explanation'>, columns: number): StyledLine[] {
  if (explanation.length === 0) return [line('asking the coordinator...', 'dim')];
  return explanation.flatMap((text) => wrapped(text, columns, undefined, '    '));
}
