import { parameterText } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { EMPTY_LINE, line, type Segment, type StyledLine } from '../../lib/text/segment.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { AgentState, type TrialCounts } from '../../proto/gen/trawl/v1/types.ts';
import { goal, sweepState } from '../../proto/names.ts';
import { stateBar } from '../draw/text-charts.ts';
import type { Model } from '../state/model.ts';
import type { Summary } from '../state/summary.ts';
import { PANES } from '../state/ui.ts';

/** Lines that the header takes. */
export const HEADER_LINES = 6;

const TALLY_COLUMNS = 22;
const NO_COUNTS: TrialCounts = {
  pending: 0,
  offered: 0,
  running: 0,
  succeeded: 0,
  stopped: 0,
  failed: 0,
  cancelled: 0,
};

/** The sweep, its state, a bar by trial state, pace and end, who works on it, what all trials share, and the panes. */
export function header(model: Model, columns: number): StyledLine[] {
  const { state, summary } = model;
  const { sweep } = state;
  if (sweep === undefined) {
    const waiting = [
      line('connecting...'),
      { segments: notices(model) },
      ...Array<StyledLine>(HEADER_LINES - 3).fill(EMPTY_LINE),
    ];
    return [...waiting, panes(model)];
  }
  const name = sweepState.of(sweep.state);
  const percent = summary.total === 0 ? 0 : Math.floor((summary.ended / summary.total) * 100);
  const tally = ` ${String(percent).padStart(3)}% ${summary.ended}/${summary.total}`;
  return [
    {
      segments: [
        { text: visibleText(sweep.name), style: 'bold' },
        { text: `  ${visibleText(sweep.id)}  ` },
        { text: name, style: sweepStyle(name) },
        { text: sweep.reason === '' ? '' : `  ${visibleText(sweep.reason)}` },
        ...notices(model),
      ],
    },
    { segments: [...stateBar(sweep.counts ?? NO_COUNTS, Math.max(10, columns - TALLY_COLUMNS)), { text: tally }] },
    { segments: countsAndFailures(model, summary) },
    line(pace(model, summary), 'dim'),
    line(constants(model), 'dim'),
    panes(model),
  ];
}

/** What the user must not overlook. */
function notices({ connection, ui, banner, readonly, now }: Model): Segment[] {
  const away = connection.lostSinceMs;
  return [
    ...(away === undefined
      ? []
      : [
          {
            text: `  COORDINATOR AWAY for ${formatSpan(now - away)}, since ${clock(away)}: ${visibleText(connection.why)}`,
            style: 'yellow' as const,
          },
        ]),
    ...(ui.frozen ? [{ text: '  FROZEN (u goes on)', style: 'yellow' as const }] : []),
    ...(banner === '' ? [] : [{ text: `  ${visibleText(banner)}`, style: 'magenta' as const }]),
    ...(readonly ? [{ text: '  read-only', style: 'dim' as const }] : []),
  ];
}

const clock = (ms: number): string => new Date(ms).toTimeString().slice(0, 8);

function countsAndFailures({ state }: Model, { elapsedMs, failures }: Summary): Segment[] {
  const counts = Object.entries(state.sweep?.counts ?? {}).filter(([, count]) => count > 0);
  const told = failures.map(([name, count]) => `${count} ${name}`).join(', ');
  return [
    { text: `${counts.map(([key, count]) => `${count} ${key}`).join(' · ')} · ${formatSpan(elapsedMs)}` },
    ...(told === '' ? [] : [{ text: ` · failed: ${told}`, style: 'yellow' as const }]),
  ];
}

function pace({ state }: Model, { perMinute, etaMs, etaRangeMs, slotMs, gpuMs }: Summary): string {
  const connected = state.agents.filter((agent) => agent.state !== AgentState.LOST);
  const busy = connected.reduce((sum, agent) => sum + agent.busy, 0);
  const slots = connected.reduce((sum, agent) => sum + agent.slots, 0);
  const range = etaRangeMs === undefined ? '' : ` (${formatSpan(etaRangeMs[0])} to ${formatSpan(etaRangeMs[1])})`;
  const backends = [...new Set(connected.map((agent) => agent.backend).filter(Boolean))].join(', ');
  return visibleText(
    [
      perMinute === undefined ? 'pace unknown yet' : `${perMinute.toFixed(1)} trials/min`,
      ...(etaMs === undefined ? [] : [`about ${formatSpan(etaMs)} left${range}`]),
      `${connected.length} of ${state.agents.length} agents, ${busy}/${slots} slots busy ${backends}`.trimEnd(),
      gpuMs > 0 ? `${hours(gpuMs)} GPU-hours` : `${hours(slotMs)} slot-hours`,
    ].join(' · '),
  );
}

const hours = (ms: number): string => (ms / 3_600_000).toFixed(2);

/** The objective, and the parameters that all trials share. */
function constants({ state }: Model): string {
  const [first] = state.trials.values();
  const metric = state.sweep?.metric;
  const objective = metric === undefined ? '' : `${goal.of(metric.goal)} ${metric.name}`;
  if (first === undefined) return visibleText(objective);
  const shared = Object.keys(first.parameters)
    .filter((name) => !state.varying.includes(name))
    .sort()
    .map((name) => `${name}=${parameterText(first, name)}`);
  return visibleText([objective, ...shared].filter(Boolean).join('  '));
}

function panes({ ui }: Model): StyledLine {
  const [{ kind: base }] = ui.stack;
  return {
    segments: PANES.flatMap((pane, i) => [
      { text: ` ${i + 1} `, style: 'dim' as const },
      { text: pane === base ? `[${pane}]` : pane, style: pane === base ? ('bold' as const) : ('dim' as const) },
      { text: ' ' },
    ]),
  };
}
