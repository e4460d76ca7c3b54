import { Box } from 'ink';
import { timeLeftRange } from '../../lib/domain/eta.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { parametersText, parameterText, SEED } from '../../lib/domain/parameters.ts';
import { leasedMs } from '../../lib/domain/slot-time.ts';
import { trialValue } from '../../lib/domain/trial-result.ts';
import { shownState } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { columnsOf, truncate } from '../../lib/text/width.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { fitParts, type Part } from '../draw/fit-parts.ts';
import type { Model } from '../state/model.ts';
import { rankOf } from '../state/order.ts';
import { failureLines } from '../state/selectors.ts';
import { timeLeftOf } from '../state/summary.ts';
import { Label, Line, Paragraph } from './Line.tsx';

interface Props {
  readonly model: Model;
  readonly trial: Trial;
  readonly columns: number;
}

/** The state, failure, parameters and metrics of a trial. */
export function TrialHeading({ model, trial, columns }: Props) {
  const { state, ui } = model;
  const name = shownState(trial.state);
  const title = `trial ${shortId(trial.id)}`;
  const marked = ui.marks.has(trial.id) || ui.marks.has(trial.configId);
  const mark = marked ? ' ●' : '';
  const shared = Object.keys(trial.parameters)
    .filter((parameter) => !state.varying.includes(parameter))
    .sort();
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      <Line
        segments={[
          { text: title, style: 'bold' },
          { text: mark, style: 'magenta' },
          { text: GAP + name, style: trialStyle(name) },
          { text: GAP },
          ...fitParts(factsOf(model, trial), BETWEEN, columns - columnsOf(title + mark + GAP + name + GAP)),
        ]}
        columns={columns}
      />
      {trial.failure === undefined ? null : <FailureLines lines={failureLines(trial.failure)} columns={columns} />}
      {trial.origin === undefined ? null : (
        <Paragraph
          text={`child of ${shortId(trial.origin.parent)} after epoch ${formatStep(trial.origin.epoch)}; replaces ${shortId(trial.origin.replaces)}`}
          style="cyan"
        />
      )}
      {trial.stopReason === '' ? null : <Paragraph text={`${name} by ${trial.stopReason}`} style="yellow" />}
      <Paragraph text={parametersText(trial, withSeed(state.varying))} style="bold" />
      <Paragraph text={parametersText(trial, shared)} style="dim" />
      <Paragraph text={metricsText(model, trial)} style="bold" />
    </Box>
  );
}

const GAP = '  ';
const BETWEEN = ' · ';
/** Before facts are omitted, the agent's name is shortened in its middle to this width. */
const SHORT_AGENT = 20;

function factsOf({ now, summary }: Model, trial: Trial): Part[] {
  const left = timeLeftOf(summary, trial.id, now);
  const expected = left === undefined ? '' : `${formatSpan(left.expectedMs)} left`;
  const timeLeft: Part = {
    forms: left === undefined ? [''] : [`${expected} (${timeLeftRange(left)})`, expected],
    rank: 3,
  };
  if (trial.attempts === 0) return [{ forms: ['not started'], rank: 5 }, timeLeft];
  const epochs = parameterText(trial, 'epochs');
  const agent = visibleText(trial.agentId || 'no agent');
  return [
    { forms: [`epoch ${formatStep(trial.epoch)}${epochs === '' ? '' : `/${epochs}`}`], rank: 5 },
    { forms: [`attempt ${trial.attempts}`, ''], rank: trial.attempts > 1 ? 4 : 1 },
    { forms: [agent, truncate(agent, SHORT_AGENT, 'middle'), ''], rank: 2 },
    { forms: [visibleText(trial.backend), ''], rank: 0 },
    { forms: [formatSpan(leasedMs(trial, now))], rank: 5 },
    timeLeft,
  ];
}

/** The first line shows the failure class and the error. The program's output follows below the first line. */
function FailureLines({
  lines: [first, ...output],
  columns,
}: {
  lines: readonly [string, ...string[]];
  columns: number;
}) {
  return (
    <>
      <Paragraph text={first} style="yellow" />
      {output.map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Label key={at} text={text} columns={columns} style="dim" />
      ))}
    </>
  );
}

const withSeed = (names: readonly string[]): string[] => [...names.filter((name) => name !== SEED), SEED];

function metricsText({ board }: Model, trial: Trial): string {
  const places = board.metrics.map(({ name }, m) => {
    const value = trialValue(trial, name);
    const order = board.ranked[m];
    return [name, value === undefined || order === undefined ? undefined : rankOf(order, value)] as const;
  });
  const values = Object.keys(trial.metrics)
    .sort()
    .map((name) => {
      const place = places.find(([ranked]) => ranked === name)?.[1];
      return `${name}=${formatMetric(ownValue(trial.metrics, name))}${place === undefined ? '' : ` (rank ${place})`}`;
    });
  return values.join('  ');
}
