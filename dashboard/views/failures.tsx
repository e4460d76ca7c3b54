import { Box } from 'ink';
import { type Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass } from '../../proto/names.ts';
import { shortId } from '../draw/short-id.ts';
import { visibleText } from '../draw/visible-text.ts';
import type { DashboardState } from '../state/dashboard-state.ts';
import { parametersText } from '../state/parameters.ts';
import { Styled } from './styled.tsx';

/** Failed trials, the latest first. */
export function failedTrials(state: DashboardState): Trial[] {
  return [...state.trials.values()]
    .filter((trial) => trial.state === TrialState.FAILED)
    .sort((a, b) => b.endedAtMs - a.endedAtMs || a.index - b.index);
}

/** The latest failures, each with its class and message. Takes no line when nothing has failed. */
export function Failures({ state, lines }: { readonly state: DashboardState; readonly lines: number }) {
  const trials = failedTrials(state);
  if (lines === 0) return null;
  return (
    <Box flexDirection="column" height={lines}>
      <Styled style="yellow">{`failed ${trials.length}`}</Styled>
      {trials.slice(0, lines - 1).map((trial) => {
        const why = trial.failure && `${failureClass.of(trial.failure.class)}: ${trial.failure.message}`;
        return (
          <Styled key={trial.id}>
            {visibleText(`${shortId(trial.id)} ${why ?? ''} ${parametersText(trial, state.varying)}`)}
          </Styled>
        );
      })}
    </Box>
  );
}
