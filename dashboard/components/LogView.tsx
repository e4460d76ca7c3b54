import { Box } from 'ink';
import { trialEnded } from '../../lib/domain/trial-state.ts';
import { countText, formatCount } from '../../lib/text/numbers.ts';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { trialState } from '../../proto/names.ts';
import { fitParts, type Part } from '../draw/fit-parts.ts';
import { LOG_HEADING_LINES } from '../state/layout.ts';
import { comparePlaces, type LogMatch, type LogRow, rowParts, searchLog, wrapLog } from '../state/log-text.ts';
import { firstRow, matchIndex } from '../state/log-view.ts';
import type { Model } from '../state/model.ts';
import { trialStateText } from '../state/trial-state-text.ts';
import type { Ui } from '../state/ui.ts';
import { Label, Line } from './Line.tsx';

const GAP = '  ';

interface Props {
  readonly model: Model;
  readonly trialId: string;
  readonly columns: number;
  readonly lines: number;
}

/** The log of a trial's latest attempt. Only the visible rows are drawn. */
export function LogView({ model, trialId, columns, lines }: Props) {
  const { log, ui } = model;
  const room = Math.max(1, lines - LOG_HEADING_LINES);
  const title = titleOf(model, trialId);
  const rows = wrapLog(log, columns);
  const from = firstRow(ui.log, { text: log, columns, lines: room });
  const shown = rows.slice(from, from + room);
  const search = searchShown(ui);
  const matches = searchLog(log, search);
  const current = search === ui.log.search ? matches[matchIndex(ui.log, matches)] : undefined;
  const visible = matches.filter(({ line }) => line >= (shown[0]?.line ?? 0) && line <= (shown.at(-1)?.line ?? 0));
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Line
        segments={[
          ...title,
          ...fitParts(
            [
              searchOf(search, matches, current),
              followingOf(model, trialId, rows.length - from - room),
              positionOf(model, shown),
            ],
            GAP,
            columns - widthOf(title) - GAP.length,
          ).map((part, at) => (at === 0 ? { ...part, text: GAP + part.text } : part)),
        ]}
        columns={columns}
      />
      {rows.length === 0 ? <Label text={emptyText(model, trialId)} columns={columns} style="dim" /> : null}
      {shown.map((row) => (
        <Line key={`${row.line} ${row.from}`} segments={highlighted(row, visible, current)} columns={columns} />
      ))}
    </Box>
  );
}

/** Returns the search text that the user is typing. If no search is being typed, returns the last search text. */
const searchShown = ({ prompt, log }: Ui): string => (prompt?.kind === 'search' ? prompt.text : log.search);

function emptyText({ state }: Model, trialId: string): string {
  const trial = state.trials.get(trialId);
  return trial !== undefined && trialEnded(trial) ? 'no output' : 'no output yet';
}

function titleOf({ state }: Model, trialId: string): Segment[] {
  const trial = state.trials.get(trialId);
  const title: Segment = { text: `log of trial ${shortId(trialId)}, attempt ${trial?.attempts ?? 0}`, style: 'bold' };
  if (trial === undefined) return [title];
  return [title, { text: `  ${trialStateText(trial)}`, style: trialStyle(trialState.of(trial.state)) }];
}

function searchOf(search: string, matches: readonly LogMatch[], current: LogMatch | undefined): Part {
  if (search === '') return { forms: [''], rank: 2 };
  const count = formatCount(matches.length);
  const place =
    current === undefined
      ? `${count} ${matches.length === 1 ? 'match' : 'matches'}`
      : `${formatCount(matches.indexOf(current) + 1)} of ${count}`;
  return { forms: [`"${visibleText(search)}": ${place}`], style: 'magenta', rank: 2 };
}

/**
 * Returns `following` while the view follows a growing log. If the user has scrolled up, returns the number of lines
 * below the page. On a wide terminal, this text also names the key that resumes following.
 */
function followingOf({ state, ui }: Model, trialId: string, below: number): Part {
  const trial = state.trials.get(trialId);
  if (!ui.log.follow) {
    const text = `${countText(below, 'line')} below`;
    return {
      forms: below > 0 ? [`${text} (f follows)`, text, `${formatCount(below)} below`] : [''],
      style: 'yellow',
      rank: 1,
    };
  }
  const isGrowing = trial !== undefined && !trialEnded(trial);
  return { forms: [isGrowing ? 'following' : ''], style: 'cyan', rank: 1 };
}

/**
 * Returns the range of visible lines, such as "lines 1 to 20 of 300"; empty if all lines are visible. The range is
 * omitted on a narrow terminal.
 */
function positionOf({ log }: Model, shown: readonly LogRow[]): Part {
  const all = log.dropped + log.lines.length;
  const [first, last] = [shown[0]?.line ?? 0, shown.at(-1)?.line ?? 0];
  if (last - first + 1 >= all) return { forms: [''], rank: 0 };
  const range = `${formatCount(first + 1)} to ${formatCount(last + 1)} of ${formatCount(all)}`;
  const kept = log.dropped === 0 ? '' : ` (kept from ${formatCount(log.dropped + 1)})`;
  return { forms: [`lines ${range}${kept}`, `lines ${range}`, range, ''], style: 'dim', rank: 0 };
}

function highlighted(row: LogRow, matches: readonly LogMatch[], current: LogMatch | undefined): Segment[] {
  return rowParts(row, matches).map(({ text, match }): Segment => {
    if (match === undefined) return { text };
    return { text, style: current !== undefined && comparePlaces(match, current) === 0 ? 'inverse' : 'bold' };
  });
}
