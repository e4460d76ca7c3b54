/** Sorts the leaderboard by the column that the user chose, and leaves out the configs that the filter excludes. */
import { matches } from '../../lib/filter/matches.ts';
import type { Board, ChosenOrder } from './board.ts';
import type { BoardColumn } from './board-columns.ts';
import { orderOf } from './order.ts';
import { sortedColumn } from './selectors.ts';
import type { Ui } from './ui.ts';

/**
 * Returns the board's configs in the user's order. The configs are sorted only if the board has no order for the user's
 * current choice: after a new choice, after a change of the ranking metrics, and after a snapshot.
 */
export function chosenOrder(board: Board, columns: readonly BoardColumn[], ui: Ui): ChosenOrder {
  const { filter, filterText, reversed } = ui;
  const name = sortedColumn(ui, board);
  const key = JSON.stringify([name, reversed, filterText]);
  if (board.chosen?.key === key) return board.chosen;
  const column = columns.find(({ header }) => header.trimEnd() === name);
  const order = orderOf(board.configs, {
    key: column?.key ?? (() => undefined),
    descending: (column?.descending ?? false) !== reversed,
    keep: filterText === '' ? () => true : ({ trials }) => trials.some((trial) => matches(filter, trial)),
  });
  return { key, order };
}
