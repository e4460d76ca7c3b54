import { Box } from 'ink';
import { timeLeftRange } from '../../lib/domain/eta.ts';
import { parameterText } from '../../lib/domain/parameters.ts';
import { percentText, progressText } from '../../lib/domain/progress.ts';
import { objectiveText } from '../../lib/domain/ranking.ts';
import { NO_SLOT_TIME, slotTimeAt, slotTimeText } from '../../lib/domain/slot-time.ts';
import { createdTotal, noCounts, sweepEnded, trialTotal } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import { toComeText } from '../../lib/text/trials-to-come.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { AgentState, type Sweep, type TrialCounts } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { agentAlerts } from '../state/agent-alerts.ts';
import { bestText } from '../state/best-so-far.ts';
import { HEADER_LINES } from '../state/layout.ts';
import type { Model } from '../state/model.ts';
import type { Summary } from '../state/summary.ts';
import { waitingText } from '../state/waiting.ts';

import { Label, Line } from './Line.tsx';
import { PaneTabs } from './PaneTabs.tsx';
import { StateBar } from './StateBar.tsx';

const TALLY_COLUMNS = 22;

interface Props {
  readonly model: Model;
  readonly columns: number;
}

/** The sweep and its state, progress, counts, rate and agents, the shared parameters, and the list of panes. */
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
          <Line segments={[...sweepTitle(model, sweep), ...notices(model)]} columns={columns} />
          <Progress sweep={sweep} columns={columns} />
          <Line segments={trialCounts(model, summary)} columns={columns} />
          <Line segments={pace(model, sweep, summary)} columns={columns} />
          <Line
            segments={[...best(model, sweep), ...warning(sweep), { text: constants(model), style: 'dim' }]}
            columns={columns}
          />
        </>
      )}
      <PaneTabs model={model} columns={columns} />
    </Box>
  );
}

/** Trials to come are drawn as pending trials. */
function withTrialsToCome(sweep: Sweep): TrialCounts {
  const counts = sweep.counts ?? noCounts();
  return { ...counts, pending: counts.pending + trialTotal(sweep) - createdTotal(sweep) };
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

function sweepTitle({ now }: Model, sweep: Sweep): Segment[] {
  const name = sweepState.of(sweep.state);
  return [
    { text: visibleText(sweep.name), style: 'bold' },
    { text: `  ${visibleText(sweep.id)}  ` },
    { text: visibleText(sweepStateText(sweep, now)), style: sweepStyle(name) },
    { text: sweep.reason === '' ? '' : `: ${visibleText(sweep.reason)}` },
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

function trialCounts({ state: { sweep } }: Model, { elapsedMs, failures }: Summary): Segment[] {
  const { offered, ...counts } = sweep?.counts ?? noCounts();
  const classes = failures.map(([name, count]) => `${count} ${name}`).join(', ');
  const segments = Object.entries({ ...counts, pending: counts.pending + offered })
    .filter(([, count]) => count > 0)
    .flatMap(([name, count]): Segment[] => {
      if (name !== 'failed') return [{ text: `${count} ${name} · ` }];
      return [{ text: `${count} failed${classes === '' ? '' : ` (${classes})`}`, style: 'yellow' }, { text: ' · ' }];
    });
  const toCome = sweep === undefined ? '' : toComeText(sweep);
  if (toCome !== '') segments.push({ text: `${toCome} · ` });
  return [...segments, { text: elapsedText(sweep, wholeSpan(elapsedMs)) }];
}

function elapsedText(sweep: Sweep | undefined, elapsed: string): string {
  if (sweep?.state === 'SWEEP_STATE_INTERRUPTED' || sweep?.state === 'SWEEP_STATE_PAUSED') {
    return `submitted ${elapsed} ago`;
  }
  return `${sweep !== undefined && sweepEnded(sweep) ? 'ran' : 'running'} for ${elapsed}`;
}

function pace({ state, now }: Model, { id, slotTime }: Sweep, { perMinute, eta }: Summary): Segment[] {
  const known = state.agents.filter((agent) => agent.state !== AgentState.LEFT);
  const up = known.filter((agent) => agent.state !== AgentState.LOST);
  const alerts = agentAlerts(known, id);
  const busy = up.reduce((sum, agent) => sum + agent.busy, 0);
  const slots = up.reduce((sum, agent) => sum + agent.slots, 0);
  const backends = [...new Set(up.map((agent) => agent.backend).filter(Boolean))].join(', ');
  const count = `${up.length} ${up.length === 1 ? 'agent' : 'agents'} up`;
  const figures = [
    perMinute === undefined ? waitingText(state) || 'no trial finished yet' : `${perMinute.toFixed(1)} trials/min`,
    ...(eta.sweep === undefined ? [] : [`${formatSpan(eta.sweep.expectedMs)} left (${timeLeftRange(eta.sweep)})`]),
    ...(alerts.length === 0 ? [count] : []),
    `${busy}/${slots} slots busy${backends === '' ? '' : ` (${backends})`}`,
    slotTimeText(slotTimeAt(slotTime ?? NO_SLOT_TIME, now)),
  ].join(' · ');
  const alert = alerts.length === 0 ? '' : visibleText([count, ...alerts].join(', '));
  return [
    { text: alert, style: 'yellow' },
    { text: `${alert === '' ? '' : ' · '}${visibleText(figures)}`, style: 'dim' },
  ];
}

function best(model: Model, sweep: Sweep): Segment[] {
  const text = bestText(model, sweep);
  return text === '' ? [] : [{ text: `${visibleText(text)}  `, style: 'bold' }];
}

function warning({ warnings }: Sweep): Segment[] {
  const newest = warnings.at(-1);
  if (newest === undefined) return [];
  const others = warnings.length === 1 ? '' : ` (and ${warnings.length - 1} more)`;
  return [{ text: `warning${others}: ${visibleText(newest.message)}  `, style: 'yellow' }];
}

function constants({ state }: Model): string {
  const [first] = state.trials.values();
  const metric = state.sweep?.metric;
  const objective = metric === undefined ? '' : objectiveText(metric);
  if (first === undefined) return visibleText(objective);
  const shared = Object.keys(first.parameters)
    .filter((name) => !state.varying.includes(name))
    .sort()
    .map((name) => `${name}=${parameterText(first, name)}`);
  return visibleText([objective, ...shared].filter(Boolean).join('  '));
}
