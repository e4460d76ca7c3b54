import { Box } from 'ink';
import { AgentState } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { stateBar } from '../draw/bar.ts';
import { formatSpan } from '../draw/numbers.ts';
import { sweepStyle } from '../draw/style.ts';
import { visibleText } from '../draw/visible-text.ts';
import type { DashboardState } from '../state/dashboard-state.ts';
import { progressOf } from '../state/progress.ts';
import { Line, Styled } from './styled.tsx';

/** Lines that the header takes. */
export const HEADER_LINES = 4;

const COUNT_COLUMNS = 22;

/** The sweep, its state, a bar by trial state, pace and end, and who works on it. */
export function Header(props: { readonly state: DashboardState; readonly now: number; readonly columns: number }) {
  const { state, now, columns } = props;
  const { sweep } = state;
  if (sweep === undefined) return <Styled>connecting…</Styled>;
  const progress = progressOf(state, now);
  const name = sweepState.of(sweep.state);
  const counts = Object.entries(sweep.counts ?? {}).filter(([, count]) => count > 0);
  const percent = progress.total === 0 ? 0 : Math.floor((progress.ended / progress.total) * 100);
  const connected = state.agents.filter((agent) => agent.state !== AgentState.LOST);
  const busy = connected.reduce((sum, agent) => sum + agent.busy, 0);
  const slots = connected.reduce((sum, agent) => sum + agent.slots, 0);
  const backends = [...new Set(connected.map((agent) => agent.backend).filter(Boolean))].join(', ');
  const pace = progress.perMinute === undefined ? 'pace unknown yet' : `${progress.perMinute.toFixed(1)} trials/min`;
  const eta = progress.etaMs === undefined ? '' : ` · about ${formatSpan(progress.etaMs)} left`;
  const tally = ` ${String(percent).padStart(3)}% ${progress.ended}/${progress.total}`;
  return (
    <Box flexDirection="column" height={HEADER_LINES}>
      <Line
        segments={[
          { text: visibleText(sweep.name), style: 'bold' },
          { text: `  ${visibleText(sweep.id)}  ` },
          { text: name, style: sweepStyle(name) },
          { text: sweep.reason === '' ? '' : `  ${visibleText(sweep.reason)}` },
        ]}
      />
      <Line segments={[...stateBar(sweepCounts(sweep), Math.max(10, columns - COUNT_COLUMNS)), { text: tally }]} />
      <Styled>{`${counts.map(([key, count]) => `${count} ${key}`).join(' · ')} · ${formatSpan(progress.elapsedMs)}`}</Styled>
      <Styled style="dim">
        {visibleText(
          `${pace}${eta} · ${connected.length} of ${state.agents.length} agents, ${busy}/${slots} slots busy ${backends}`,
        )}
      </Styled>
    </Box>
  );
}

function sweepCounts(sweep: NonNullable<DashboardState['sweep']>) {
  return sweep.counts ?? { pending: 0, offered: 0, running: 0, succeeded: 0, stopped: 0, failed: 0, cancelled: 0 };
}
