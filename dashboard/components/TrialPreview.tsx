import { Box } from 'ink';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { Model } from '../state/model.ts';
import { epochShown } from '../state/selectors.ts';
import { Reconstruction } from './Reconstruction.tsx';
import { TrialCurves } from './TrialCurves.tsx';
import { TrialHeading } from './TrialHeading.tsx';

/** At this width or above, the curves are beside the text. */
const WIDE = 120;
const GAP = 2;
const MAX_PLOT_LINES = 15;
/** The lines of a usual heading: state, parameters that vary, other parameters, metrics. */
const HEADING_LINES = 4;
const LEAST_PLOT_LINES = 4;
const LEAST_IMAGE_LINES = 6;

interface Props {
  readonly model: Model;
  readonly trial: Trial | undefined;
  readonly columns: number;
  readonly lines: number;
}

/**
 * The trial under the cursor of a list: its state, failure, parameters and curves, and its reconstructions if
 * they fit.
 */
export function TrialPreview({ model, trial, columns, lines }: Props) {
  const room = lines - 1;
  if (trial === undefined || room < HEADING_LINES) return null;
  const wide = columns >= WIDE;
  const left = wide ? Math.floor((columns - GAP) / 2) : columns;
  const right = wide ? columns - left - GAP : columns;
  const plotLines = Math.min(MAX_PLOT_LINES, wide ? room : room - HEADING_LINES);
  const detail = model.details.get(trial.id);
  const hasImages = (detail?.epochs.length ?? 0) > 0;
  const imageLines = room - HEADING_LINES - 1;
  return (
    <Box
      flexDirection={wide ? 'row' : 'column'}
      columnGap={GAP}
      height={lines}
      paddingTop={1}
      flexShrink={0}
      overflowY="hidden"
    >
      <Box flexDirection="column" width={left} flexShrink={0}>
        <TrialHeading model={model} trial={trial} columns={left} />
        {wide && hasImages && imageLines >= LEAST_IMAGE_LINES ? (
          <Box paddingTop={1} flexShrink={0}>
            <Reconstruction
              detail={detail}
              epoch={detail && epochShown(detail, model.ui.epochsBack)}
              columns={left}
              lines={imageLines}
            />
          </Box>
        ) : null}
      </Box>
      {plotLines < LEAST_PLOT_LINES ? null : (
        <TrialCurves
          points={model.curveOf(trial.id)}
          metric={model.board.metrics[0]?.name ?? ''}
          columns={right}
          lines={plotLines - 1}
        />
      )}
    </Box>
  );
}
