import { Box } from 'ink';
import type { FailureGroup } from '../../lib/domain/failure-groups.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { countText } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Column } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { wrapWords } from '../draw/wrap-words.ts';
import { failureGroupId, failureRows, newestFailure, sharedByGroup } from '../state/failures.ts';
import { listLines } from '../state/layout.ts';
import type { Model } from '../state/model.ts';
import { failureLines } from '../state/selectors.ts';
import { cursorOf, windowOf } from '../state/ui.ts';
import { Label, Paragraph } from './Line.tsx';
import { ListTable } from './ListTable.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** At most this many warnings are shown, newest first. */
const MAX_WARNINGS = 4;
const WARNINGS_HEADING_LINES = 2;

/**
 * The failures by class and error, largest group first. Below the list, the view shows the group under the cursor and
 * the sweep's warnings.
 */
export function ErrorsTable({ model, columns, lines }: Props) {
  const { now } = model;
  const groups = failureRows(model.state);
  const table: Column<FailureGroup>[] = [
    { header: 'trials', numeric: true, cell: ({ trials }) => String(trials.length) },
    { header: 'class', neverCut: true, cell: ({ class: name }) => name, style: () => 'yellow' },
    { header: 'error', cell: ({ message }) => message || 'no message' },
    { header: 'last', numeric: true, cell: (group) => agoText(newestFailure(group)?.endedAtMs ?? 0, now) },
    { header: 'agents', cell: ({ agents }) => agents.join(', ') || '-' },
  ];
  const listed = Math.min(lines, listLines(model));
  const indexOf = (wanted: string) => groups.findIndex((group) => failureGroupId(group) === wanted);
  const warnings = model.state.sweep?.warnings ?? [];
  const texts = warnings.slice(-MAX_WARNINGS).map(({ message }) => wrapWords(visibleText(message), columns));
  const wanted = texts.length === 0 ? 0 : texts.flat().length + WARNINGS_HEADING_LINES;
  const noted = wanted <= lines - listed ? wanted : 0;
  const room = lines - listed - noted;
  const chosen = groups[windowOf(cursorOf(model.ui, 'errors'), groups.length, 1, indexOf).at];
  return (
    <>
      <Box flexDirection="column" height={listed} flexShrink={0}>
        <ListTable
          model={model}
          view="errors"
          table={table}
          rows={groups}
          id={failureGroupId}
          empty="no trial has failed"
          columns={columns}
          lines={listed}
        />
      </Box>
      {chosen === undefined || room < 2 ? null : (
        <Box flexDirection="column" height={room} paddingTop={1} flexShrink={0} overflowY="hidden">
          <GroupDetail model={model} group={chosen} columns={columns} />
        </Box>
      )}
      {noted === 0 ? null : <Warnings texts={texts} columns={columns} />}
    </>
  );
}

const agoText = (ms: number, now: number): string => (ms === 0 ? '-' : `${formatSpan(Math.max(0, now - ms))} ago`);

interface DetailProps {
  readonly model: Model;
  readonly group: FailureGroup;
  readonly columns: number;
}

/** The trials of a group, the parameters that the trials share, and the newest failure with its output. */
function GroupDetail({ model, group, columns }: DetailProps) {
  const newest = newestFailure(group);
  if (newest?.failure === undefined) return null;
  const [error, ...output] = failureLines(newest.failure);
  const shared = sharedByGroup(group, model.state.varying);
  const trials = group.trials.map(({ id }) => shortId(id)).join(', ');
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      <Paragraph text={error} style="yellow" />
      <Label text={`${countText(group.trials.length, 'trial')}: ${trials}`} columns={columns} style="bold" />
      {shared.length === 0 ? null : <Label text={`all have ${shared.join('  ')}`} columns={columns} style="bold" />}
      {output.length === 0 ? null : (
        <Label text={`output of trial ${shortId(newest.id)}:`} columns={columns} style="dim" />
      )}
      {output.map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Label key={at} text={text} columns={columns} style="dim" />
      ))}
    </Box>
  );
}

/** @param texts the lines of each warning, the oldest warning first */
function Warnings({ texts, columns }: { readonly texts: readonly (readonly string[])[]; readonly columns: number }) {
  return (
    <Box flexDirection="column" paddingTop={1} flexShrink={0}>
      <Label text="warnings of the sweep, newest first" columns={columns} style="bold" />
      {texts
        .toReversed()
        .flat()
        .map((text, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
          <Label key={at} text={text} columns={columns} style="yellow" />
        ))}
    </Box>
  );
}
