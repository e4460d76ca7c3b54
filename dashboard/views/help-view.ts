import { EMPTY_LINE, type Line, line } from '../draw/segment.ts';
import { keyLabel, keysOf } from '../keys.ts';
import type { ViewKind } from '../state/views.ts';

const KEY_COLUMN = 12;

/** What works in a view, from the one table of keys. */
export function helpView(of: ViewKind, readonly: boolean): Line[] {
  return [
    line(`keys of the ${of} view`, 'bold'),
    EMPTY_LINE,
    ...keysOf(of, readonly).map(
      ({ keys, about }): Line => ({
        segments: [{ text: keys.map(keyLabel).join(' ').padEnd(KEY_COLUMN), style: 'bold' }, { text: ` ${about}` }],
      }),
    ),
    EMPTY_LINE,
    line('filters: name, then = != < <= > >= ~ (contains) !~, joined by and, or, not and brackets', 'dim'),
    line(
      'names: metrics, parameters, state, agent, trial, config, epoch, attempts, seed, index, backend, failure',
      'dim',
    ),
    line('★ none is better in both metrics   ● marked   ▸ replicates: → unfolds   × failed', 'dim'),
  ];
}
