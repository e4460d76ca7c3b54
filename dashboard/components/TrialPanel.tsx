import { Box } from 'ink';
import type { Model } from '../state/model.ts';
import { epochShown } from '../state/selectors.ts';
import { AttemptsTable } from './AttemptsTable.tsx';
import { Label } from './Line.tsx';
import { MarkedCurves } from './MarkedCurves.tsx';
import { Reconstruction } from './Reconstruction.tsx';
import { RungsTable } from './RungsTable.tsx';
import { TrialCurves } from './TrialCurves.tsx';
import { TrialHeading } from './TrialHeading.tsx';

const WIDE = 120;
const PLOT_LINES = 10;
/** With fewer lines than this, the plot is smaller, so that there is room for the attempts. */
const SHORT = 24;
const SHORT_PLOT_LINES = 7;
/**
 * The maximum and the minimum number of lines of a picture with its heading. A picture that does not fit below the
 * curves is shrunk.
 */
const IMAGE_LINES = 16;
const LEAST_IMAGE_LINES = 8;
/**
 * The usual number of lines above the picture on a wide terminal, for the heading, the curves with their legend, and
 * gaps.
 */
const LINES_ABOVE = 6 + PLOT_LINES + 5;
const LOG_LINES = 8;

interface Props {
  readonly model: Model;
  readonly trialId: string;
  readonly columns: number;
  /** The number of visible lines of the body. */
  readonly lines: number;
}

/** A trial: its state, curves and attempts, the end of its log, and its reconstructions. */
export function TrialPanel({ model, trialId, columns, lines }: Props) {
  const trial = model.state.trials.get(trialId);
  if (trial === undefined) return <Label text="this trial no longer exists" columns={columns} style="yellow" />;
  const detail = model.details.get(trialId);
  const wide = columns >= WIDE;
  const left = wide ? Math.floor((columns * 2) / 3) : columns;
  const right = wide ? columns - left - 2 : columns;
  const plotLines = lines < SHORT ? SHORT_PLOT_LINES : PLOT_LINES;
  const metric = model.board.metrics[0]?.name ?? '';
  return (
    <Box flexDirection="column" rowGap={1} flexShrink={0}>
      <TrialHeading model={model} trial={trial} columns={columns} />
      <Box flexDirection={wide ? 'row' : 'column'} columnGap={2} rowGap={1} flexShrink={0}>
        <Box flexDirection="column" width={left} rowGap={1} flexShrink={0}>
          <TrialCurves
            points={model.curveOf(trialId)}
            epoch={trial.epoch}
            metric={metric}
            rungs={detail?.answer.rungs.map(({ step }) => step) ?? []}
            columns={left}
            lines={plotLines}
          />
          <RungsTable rungs={detail?.answer.rungs ?? []} columns={left} />
          <MarkedCurves model={model} trial={trial} columns={left} lines={plotLines} />
        </Box>
        <Box flexDirection="column" width={right} rowGap={1} flexShrink={0}>
          <AttemptsTable attempts={detail?.answer.attempts ?? []} now={model.now} columns={right} />
          <LogEnd log={model.log.lines} columns={right} />
        </Box>
      </Box>
      <Reconstruction
        detail={detail}
        epoch={detail && epochShown(detail, model.ui.epochsBack)}
        columns={columns}
        lines={wide ? Math.min(IMAGE_LINES, Math.max(LEAST_IMAGE_LINES, lines - LINES_ABOVE)) : IMAGE_LINES}
      />
    </Box>
  );
}

function LogEnd({ log, columns }: { readonly log: readonly string[]; readonly columns: number }) {
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text="log (l: full log)" columns={columns} style="bold" />
      {log.length === 0 ? <Label text="no output yet" columns={columns} style="dim" /> : null}
      {log.slice(-LOG_LINES).map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Label key={at} text={text} columns={columns} style="dim" />
      ))}
    </Box>
  );
}
