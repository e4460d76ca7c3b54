import { Box } from 'ink';
import { ownValue } from '../../lib/domain/own-value.ts';
import { parameterText, SEED } from '../../lib/domain/parameters.ts';
import { shownState } from '../../lib/domain/trial-state.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Column } from '../../lib/text/table.ts';
import { type LineageRow, lineageText } from '../state/lineage.ts';
import type { Model } from '../state/model.ts';
import { Label } from './Line.tsx';
import { Table } from './Table.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
}

/** The maximum number of listed members. */
const MAX_MEMBERS = 60;
/**
 * A track is the timeline of a member. The width of a track is this share of the width of the view, but at least
 * LEAST_TRACK columns and at most MOST_TRACK columns.
 */
const TRACK_SHARE = 0.5;
const LEAST_TRACK = 16;
const MOST_TRACK = 90;

/**
 * The lineage of a population, with one line per member. An arrow marks each epoch at which a child replaced the
 * member's trial. The number after the arrow is the index of the member to which the child's parent belongs.
 */
export function LineageTable({ model, columns }: Props) {
  const { state, board } = model;
  const { name: metric = '', goal = 'minimize' } = board.metrics[0] ?? {};
  const width = Math.min(MOST_TRACK, Math.max(LEAST_TRACK, Math.floor(columns * TRACK_SHARE)));
  const { header, rows, members } = lineageText([...state.trials.values()], { metric, goal, width, most: MAX_MEMBERS });
  const table: Column<LineageRow>[] = [
    { header: 'member', numeric: true, required: true, cell: ({ member }) => String(member) },
    { header: header.padEnd(width), required: true, neverCut: true, cell: ({ track }) => track.padEnd(width) },
    {
      header: metric,
      numeric: true,
      required: true,
      cell: ({ trial }) => formatMetric(ownValue(trial.metrics, metric)),
    },
    ...state.varying
      .filter((name) => name !== SEED)
      .map((name): Column<LineageRow> => {
        return { header: name, numeric: true, cell: ({ trial }) => parameterText(trial, name) };
      }),
    { header: 'state', cell: ({ trial }) => shownState(trial.state) },
    { header: 'trial', cell: ({ trial }) => shortId(trial.id) },
  ];
  const hidden = rows.length < members ? `; the best ${rows.length} of ${members} members` : '';
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label
        text={`epochs; ←3: a child of member 3 starts; ━ leads to the best trial${hidden}`}
        columns={columns}
        style="dim"
      />
      <Table table={table} rows={rows} columns={columns} />
    </Box>
  );
}
