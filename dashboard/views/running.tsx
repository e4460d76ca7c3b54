import { Box } from 'ink';
import { type Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { formatMetric, formatSpan } from '../draw/numbers.ts';
import { shortId } from '../draw/short-id.ts';
import { visibleText } from '../draw/visible-text.ts';
import type { DashboardState } from '../state/dashboard-state.ts';
import { parametersText, parameterText } from '../state/parameters.ts';
import { Styled } from './styled.tsx';

/** Trials that run now, the longest first. */
export function runningTrials(state: DashboardState): Trial[] {
  return [...state.trials.values()]
    .filter((trial) => trial.state === TrialState.RUNNING)
    .sort((a, b) => a.startedAtMs - b.startedAtMs || a.index - b.index);
}

function line(trial: Trial, state: DashboardState, now: number): string {
  const epochs = parameterText(trial, 'epochs');
  const epoch = `epoch ${trial.epoch}${epochs === '' ? '' : `/${epochs}`}`;
  const loss = Object.hasOwn(trial.metrics, 'train_loss') ? ` loss ${formatMetric(trial.metrics.train_loss)}` : '';
  const attempt = trial.attempts > 1 ? ` attempt ${trial.attempts}` : '';
  const time = formatSpan(now - trial.startedAtMs);
  return `${shortId(trial.id)} ${epoch} ${time}${loss}${attempt} ${trial.agentId} ${parametersText(trial, state.varying)}`;
}

/** What runs now, as many as there is room for. */
export function Running(props: { readonly state: DashboardState; readonly now: number; readonly lines: number }) {
  const { state, now, lines } = props;
  const trials = runningTrials(state);
  const shown = trials.slice(0, lines - 1);
  return (
    <Box flexDirection="column" height={lines}>
      <Styled style="dim">{`running ${trials.length}`}</Styled>
      {shown.map((trial) => (
        <Styled key={trial.id}>{visibleText(line(trial, state, now))}</Styled>
      ))}
    </Box>
  );
}
