import { Box } from 'ink';
import { ownValue } from '../../lib/domain/own-value.ts';
import { SEED } from '../../lib/domain/parameters.ts';
import { leasedMs } from '../../lib/domain/slot-time.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';
import type { Model } from '../state/model.ts';
import { epochShown } from '../state/selectors.ts';
import { trialStateText } from '../state/trial-state-text.ts';
import { Reconstruction } from './Reconstruction.tsx';
import { Table } from './Table.tsx';
import { TrialCurves } from './TrialCurves.tsx';
import { TrialHeading } from './TrialHeading.tsx';

/** At this width or above, the curves are beside the text. */
const WIDE = 120;
const GAP = 2;
const MAX_PLOT_LINES = 24;
/** The number of lines of a usual heading: state, parameters that vary, other parameters, metrics. */
const HEADING_LINES = 4;
const LEAST_PLOT_LINES = 4;
const LEAST_IMAGE_LINES = 6;

interface Props {
  readonly model: Model;
  readonly trial: Trial | undefined;
  /** The replicates of the trial's config, including the trial. If there are several, a wide terminal lists them. */
  readonly replicates: readonly Trial[];
  readonly columns: number;
  readonly lines: number;
}

/**
 * The trial under the cursor of a list: its state, failure, parameters, metrics and curves. A wide terminal also shows
 * the replicates of the trial's config and, if they fit, the reconstructions of the trial.
 */
export function TrialPreview({ model, trial, replicates, columns, lines }: Props) {
  const room = lines - 1;
  if (trial === undefined || room < HEADING_LINES) return null;
  const wide = columns >= WIDE;
  const left = wide ? Math.floor((columns - GAP) / 2) : columns;
  const right = wide ? columns - left - GAP : columns;
  const plotLines = Math.min(MAX_PLOT_LINES, wide ? room : room - HEADING_LINES);
  const detail = model.details.get(trial.id);
  const hasImages = (detail?.epochs.length ?? 0) > 0;
  // The output of a failure takes precedence over the list of replicates.
  const hasRoom = wide && trial.failure === undefined && replicates.length > 1;
  const listed = hasRoom ? replicates.slice(0, Math.max(0, room - HEADING_LINES - 4)) : [];
  const imageLines = room - HEADING_LINES - 1 - (listed.length === 0 ? 0 : listed.length + 2);
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
        {listed.length === 0 ? null : (
          <Box paddingTop={1} flexShrink={0}>
            <Table table={replicateColumns(model)} rows={listed} columns={left} />
          </Box>
        )}
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
          epoch={trial.epoch}
          metric={model.board.metrics[0]?.name ?? ''}
          columns={right}
          lines={plotLines - 1}
        />
      )}
    </Box>
  );
}

function replicateColumns({ board, now }: Model): Column<Trial>[] {
  const metric = board.metrics[0]?.name ?? '';
  return [
    { header: 'replicate', neverCut: true, cell: ({ id }) => shortId(id) },
    { header: SEED, numeric: true, cell: ({ seed }) => String(seed) },
    {
      header: 'state',
      neverCut: true,
      cell: trialStateText,
      style: (trial) => trialStyle(trialState.of(trial.state)),
    },
    { header: 'epoch', numeric: true, cell: ({ epoch }) => formatStep(epoch) },
    { header: metric, numeric: true, cell: ({ metrics }) => formatMetric(ownValue(metrics, metric)) },
    { header: 'time', numeric: true, cell: (trial) => formatSpan(leasedMs(trial, now)) },
    { header: 'agent', elide: 'middle', cell: ({ agentId }) => agentId || '-' },
  ];
}
