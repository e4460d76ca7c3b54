import { sum } from 'd3-array';
import { Box } from 'ink';
import { timeLeftAfter, timeLeftRange } from '../../lib/domain/eta.ts';
import { parameterText } from '../../lib/domain/parameters.ts';
import { NO_ESTIMATE_TEXT, sweepProgress } from '../../lib/domain/progress.ts';
import { objectiveText } from '../../lib/domain/ranking.ts';
import { NO_SLOT_TIME, slotTimeAt, slotTimeText } from '../../lib/domain/slot-time.ts';
import { noCounts, presentTotal, sweepEnded, trialTotal } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { countText } from '../../lib/text/numbers.ts';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import { percentText, progressText, toComeText } from '../../lib/text/trials-to-come.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { columnsOf, truncate } from '../../lib/text/width.ts';
import { AgentState, type Sweep, type TrialCounts } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { fitParts, type Part } from '../draw/fit-parts.ts';
import { agentAlerts } from '../state/agent-alerts.ts';
import { bestTexts } from '../state/best-so-far.ts';
import { HEADER_LINES } from '../state/layout.ts';
import type { Model } from '../state/model.ts';
import type { Summary } from '../state/summary.ts';
import { waitingText } from '../state/waiting.ts';

import { Label, Line } from './Line.tsx';
import { PaneTabs } from './PaneTabs.tsx';
import { StateBar } from './StateBar.tsx';

const TALLY_COLUMNS = 22;

/** The name of the sweep keeps at least this width, in columns. */
const LEAST_NAME = 20;
const BETWEEN = ' · ';
const GAP = '  ';

interface Props {
  readonly model: Model;
  readonly columns: number;
}

/** The sweep with its state, progress, counts, rate and agents; the constant parameters; and the list of panes. */
export function Header({ model, columns }: Props) {
  const { state, summary } = model;
  const { sweep } = state;
  return (
    <Box flexDirection="column" height={HEADER_LINES} flexShrink={0}>
      {sweep === undefined ? (
        <Box flexDirection="column" flexGrow={1}>
          <Label text={model.starting === undefined ? 'connecting...' : 'starting...'} columns={columns} />
          <Line segments={notices(model)} columns={columns} />
        </Box>
      ) : (
        <>
          <Line segments={sweepTitle(model, sweep, columns)} columns={columns} />
          <Progress sweep={sweep} columns={columns} />
          <Line segments={fitParts(trialCounts(model, sweep, summary), BETWEEN, columns)} columns={columns} />
          <Line segments={fitParts(pace(model, sweep, summary), BETWEEN, columns)} columns={columns} />
          <Line segments={bestAndWarning(model, sweep, columns)} columns={columns} />
        </>
      )}
      <PaneTabs model={model} columns={columns} />
    </Box>
  );
}

/** Returns the counts for the progress bar. Trials that have not been created yet count as pending. */
function withTrialsToCome(sweep: Sweep): TrialCounts {
  const counts = sweep.counts ?? noCounts();
  return { ...counts, pending: counts.pending + trialTotal(sweep) - presentTotal(sweep) };
}

function Progress({ sweep, columns }: { readonly sweep: Sweep; readonly columns: number }) {
  const tally = ` ${percentText(sweep).padStart(4)} ${progressText(sweep)}`;
  const width = Math.max(10, columns - TALLY_COLUMNS);
  return (
    <Box>
      <StateBar counts={withTrialsToCome(sweep)} columns={width} />
      <Label text={tally} columns={Math.max(0, columns - width)} />
    </Box>
  );
}

/**
 * Returns the title of a sweep. If the title is too wide, the sweep's name is shortened in its middle. If the title is
 * then still too wide, the end of the reason for the sweep's state is cut, so that the state and the notices stay
 * visible.
 */
function sweepTitle(model: Model, sweep: Sweep, columns: number): Segment[] {
  const { version = 1 } = sweep;
  const id = `  ${visibleText(sweep.id)}  ${version > 1 ? `version ${version}  ` : ''}`;
  const state = visibleText(sweepStateText(sweep, model.now));
  const reason = sweep.reason === '' ? '' : `: ${visibleText(sweep.reason)}`;
  const others = notices(model);
  const room = columns - widthOf([{ text: id }, { text: state }, ...others]);
  const name = truncate(visibleText(sweep.name), Math.max(LEAST_NAME, room - columnsOf(reason)), 'middle');
  return [
    { text: name, style: 'bold' },
    { text: id },
    { text: state, style: sweepStyle(sweepState.of(sweep.state)) },
    { text: truncate(reason, Math.max(0, room - columnsOf(name))) },
    ...others,
  ];
}

function notices({ connection, ui, banner, readonly, now }: Model): Segment[] {
  const away = connection.lostSinceMs;
  return [
    ...(away === undefined
      ? []
      : [
          {
            text: `  COORDINATOR UNREACHABLE for ${formatSpan(now - away)}, since ${clock(away)}: ${visibleText(connection.reason)}`,
            style: 'yellow' as const,
          },
        ]),
    ...(ui.frozen ? [{ text: '  FROZEN (u resumes)', style: 'yellow' as const }] : []),
    ...(banner === '' ? [] : [{ text: `  ${visibleText(banner)}`, style: 'magenta' as const }]),
    ...(readonly ? [{ text: '  read-only', style: 'dim' as const }] : []),
  ];
}

const clock = (ms: number): string => new Date(ms).toTimeString().slice(0, 8);

const wholeSpan = (ms: number): string => formatSpan(Math.floor(ms / 1000) * 1000).replace(/\.0s$/, 's');

function trialCounts({ now }: Model, sweep: Sweep, { elapsedMs, failures }: Summary): Part[] {
  const { offered, ...counts } = sweep.counts ?? noCounts();
  const slotTime = slotTimeAt(sweep.slotTime ?? NO_SLOT_TIME, now);
  const classes = failures.map(([name, count]) => `${count} ${name}`).join(', ');
  const parts = Object.entries({ ...counts, pending: counts.pending + offered })
    .filter(([, count]) => count > 0)
    .map(([name, count]): Part => {
      if (name !== 'failed') return { forms: [`${count} ${name}`], rank: 3 };
      const failed = `${count} failed`;
      return { forms: [`${failed}${classes === '' ? '' : ` (${classes})`}`, failed], style: 'yellow', rank: 2 };
    });
  return [
    ...parts,
    { forms: [toComeText(sweep)], rank: 3 },
    { forms: [elapsedText(sweep, wholeSpan(elapsedMs)), ''], rank: 1 },
    { forms: [slotTime.slotMs > 0 ? slotTimeText(slotTime) : '', ''], style: 'dim', rank: 0 },
  ];
}

function elapsedText(sweep: Sweep, elapsed: string): string {
  if (sweep.state === 'SWEEP_STATE_INTERRUPTED' || sweep.state === 'SWEEP_STATE_PAUSED') {
    return `submitted ${elapsed} ago`;
  }
  return `${sweepEnded(sweep) ? 'ran' : 'running'} for ${elapsed}`;
}

function pace({ state, now }: Model, sweep: Sweep, { perMinute, eta, summarizedAtMs }: Summary): Part[] {
  const known = state.agents.filter((agent) => agent.state !== AgentState.LEFT);
  const up = known.filter((agent) => agent.state !== AgentState.LOST);
  const alerts = agentAlerts(known, sweep.id);
  const busy = `${sum(up, (agent) => agent.busy)}/${sum(up, (agent) => agent.slots)} slots busy`;
  const backends = [...new Set(up.map((agent) => agent.backend).filter(Boolean))].join(', ');
  const count = `${up.length} ${up.length === 1 ? 'agent' : 'agents'} up`;
  const alert = alerts.length === 0 ? '' : visibleText([count, ...alerts].join(', '));
  const finished = sweepProgress(sweep).finished > 0;
  const idle = finished ? 'no trial finished in the last 10 min' : NO_ESTIMATE_TEXT;
  // A paused sweep without running trials shows no rate, because the mean rate of the last minutes would only fall.
  const isIdle = sweepState.of(sweep.state) === 'paused' && (sweep.counts?.running ?? 0) === 0;
  const rate = isIdle
    ? ''
    : perMinute === undefined
      ? waitingText(state) || idle
      : `${perMinute.toFixed(1)} trials/min`;
  const left = eta.sweep && timeLeftAfter(eta.sweep, now - summarizedAtMs);
  const expected = left === undefined ? '' : `${formatSpan(left.expectedMs)} left`;
  return [
    { forms: [alert], style: 'yellow', rank: 4 },
    { forms: perMinute === undefined || isIdle ? [rate] : [rate, ''], style: 'dim', rank: 3 },
    { forms: left === undefined ? [''] : [`${expected} (${timeLeftRange(left)})`, expected], style: 'dim', rank: 2 },
    { forms: [alert === '' ? count : ''], style: 'dim', rank: 4 },
    { forms: [`${busy}${backends === '' ? '' : ` (${visibleText(backends)})`}`, busy, ''], style: 'dim', rank: 1 },
  ];
}

/** The minimum width of a warning that is cut, in columns. A shorter text would not be understandable. */
const LEAST_WARNING = 60;

/**
 * The best value, the newest warning, the objective, and the constant parameters. If the line is too narrow, the last
 * parameters are omitted first.
 */
function bestAndWarning(model: Model, sweep: Sweep, columns: number): Segment[] {
  const { value, trend } = bestTexts(model, sweep);
  const best: Part = { forms: [visibleText(`${value}${trend}`), visibleText(value)], style: 'bold', rank: 2 };
  const facts: Part = { forms: factForms(model), style: 'dim', rank: 0 };
  const newest = sweep.warnings.at(-1);
  if (newest === undefined) return fitParts([best, facts], GAP, columns);
  const { length } = sweep.warnings;
  const whole = `warning${length === 1 ? '' : ` (and ${length - 1} more)`}: ${visibleText(newest.message)}`;
  const room = columns - columnsOf(best.forms[0]) - GAP.length;
  const isShort = room < Math.min(LEAST_WARNING, columnsOf(whole));
  const cut = isShort ? `${countText(length, 'warning')} (6: errors)` : truncate(whole, room);
  return fitParts([best, { forms: [whole, cut], style: 'yellow', rank: 1 }, facts], GAP, columns);
}

/** The maximum number of constant parameters in the header. */
const MAX_CONSTANTS = 12;

/**
 * Returns ever shorter texts: the objective with up to MAX_CONSTANTS constant parameters, then with fewer, and
 * finally an empty text.
 */
function factForms({ state }: Model): [string, ...string[]] {
  const [first] = state.trials.values();
  const { sweep } = state;
  const objective = sweep?.metric === undefined ? [] : [objectiveText(sweep)];
  const names = Object.keys(first?.parameters ?? {}).filter((name) => !state.varying.includes(name));
  const shared = names
    .sort()
    .slice(0, MAX_CONSTANTS)
    .map((name) => (first === undefined ? '' : `${name}=${parameterText(first, name)}`));
  const text = (count: number): string => {
    const more = names.length - count;
    return visibleText([...objective, ...shared.slice(0, count), ...(more === 0 ? [] : [`+${more}`])].join(GAP));
  };
  const fewer = shared.map((_, i) => text(shared.length - 1 - i));
  return [text(shared.length), ...fewer, ''];
}
