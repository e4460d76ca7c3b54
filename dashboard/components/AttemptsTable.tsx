import { attemptStartMs, attemptState } from '../../lib/domain/attempt-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatStep } from '../../lib/text/numbers.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Attempt } from '../../proto/gen/trawl/v1/types.ts';
import { failureLines } from '../state/selectors.ts';
import { Label } from './Line.tsx';
import { Table } from './Table.tsx';

interface Props {
  readonly attempts: readonly Attempt[];
  readonly now: number;
  readonly columns: number;
}

/** The attempts of a trial. */
export function AttemptsTable({ attempts: all, now, columns: width }: Props) {
  if (all.length === 0) return <Label text="no attempt yet" columns={width} style="dim" />;
  const columns: Column<Attempt>[] = [
    { header: 'attempt', numeric: true, cell: ({ number }) => String(number) },
    { header: 'outcome', cell: attemptState },
    {
      header: 'time',
      numeric: true,
      cell: (attempt) => {
        const start = attemptStartMs(attempt);
        return start === 0 ? '-' : formatSpan((attempt.endedAtMs || now) - start);
      },
    },
    { header: 'agent', elide: 'common', cell: ({ agentId, slot }) => `${agentId}/${slot}` },
    ...(all.some((attempt) => detailsOf(attempt) !== '') ? [{ header: 'details', cell: detailsOf }] : []),
  ];
  return <Table table={columns} rows={all} columns={width} />;
}

const detailsOf = ({ failure, resumedFrom, speculative }: Attempt): string =>
  [
    ...(speculative ? ['speculative'] : []),
    ...(failure === undefined ? [] : [failureLines(failure)[0]]),
    ...(resumedFrom > 0 ? [`resumed after epoch ${formatStep(resumedFrom)}`] : []),
  ].join('; ');
