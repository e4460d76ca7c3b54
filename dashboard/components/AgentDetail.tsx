import { rollups } from 'd3-array';
import { Box } from 'ink';
import { ownValue } from '../../lib/domain/own-value.ts';
import { parametersText, parameterText } from '../../lib/domain/parameters.ts';
import { slotGpuIndexes } from '../../lib/domain/slot-gpus.ts';
import { leasedMs } from '../../lib/domain/slot-time.ts';
import { agentReason } from '../../lib/text/agent-reason.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Agent, GpuFigures, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';
import { wrapWords } from '../draw/wrap-words.ts';
import type { AgentRow } from '../state/agent-rows.ts';
import type { Model } from '../state/model.ts';
import { trialStateText } from '../state/trial-state-text.ts';
import { Label } from './Line.tsx';
import { Table } from './Table.tsx';

const BAR = 10;
const MAX_REASON_LINES = 4;
const GIB = 2 ** 30;

interface Props {
  readonly model: Model;
  readonly row: AgentRow;
  readonly columns: number;
}

/**
 * The details of an agent: its machine, the reason why it takes no trials, its GPUs, its running trials, and the trials
 * that ended last.
 */
export function AgentDetail({ model, row: { agent, running, recent }, columns }: Props) {
  const why = agentReason(agent);
  const reason = why === '' ? [] : wrapWords(visibleText(why), columns).slice(0, MAX_REASON_LINES);
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      <Box flexWrap="wrap" columnGap={2} flexShrink={0}>
        {[agent.id, ...machineTexts(agent)].map((text) => (
          <Box key={text} flexShrink={0}>
            <Label text={text} columns={columns} style="bold" />
          </Box>
        ))}
      </Box>
      {reason.map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Label key={at} text={text} columns={columns} style="yellow" />
      ))}
      {agent.gpuFigures.length === 0 ? null : (
        <Box flexDirection="column" flexShrink={0} paddingBottom={1}>
          <Table table={gpuColumns(agent)} rows={agent.gpuFigures} columns={columns} />
        </Box>
      )}
      {running.length === 0 ? (
        <Label text="idle for this sweep" columns={columns} style="dim" />
      ) : (
        <Table table={trialColumns(model, agent)} rows={running} columns={columns} />
      )}
      {recent.length === 0 ? null : (
        <Box flexDirection="column" flexShrink={0} paddingTop={1}>
          <Label text="latest ended trials of this sweep on this agent" columns={columns} style="bold" />
          <Table table={endedColumns(model)} rows={recent} columns={columns} />
        </Box>
      )}
    </Box>
  );
}

function machineTexts({ machineFigures: figures }: Agent): string[] {
  if (figures === undefined) return [];
  const { cpu, memoryUsedBytes: used, memoryTotalBytes: total, diskFreeBytes: free, diskTotalBytes: disk } = figures;
  return [
    ...(cpu === undefined ? [] : [`CPU ${barOf(cpu)}`]),
    ...(used === undefined || total === undefined
      ? []
      : [`RAM ${barOf(used / total)} ${gibibytes(used)} of ${gibibytes(total)} GiB`]),
    ...(free === undefined || disk === undefined ? [] : [`disk ${gibibytes(free)} of ${gibibytes(disk)} GiB free`]),
  ];
}

const gibibytes = (bytes: number): string => (bytes / GIB).toFixed(bytes < 10 * GIB ? 1 : 0);

function gpuColumns({ gpus }: Agent): Column<GpuFigures>[] {
  return [
    { header: 'GPU', numeric: true, cell: ({ index }) => String(index) },
    { header: 'name', cell: (card) => namesText(card.gpus.flatMap((position) => gpus[position] ?? [])) },
    { header: 'util'.padEnd(BAR + 5), neverCut: true, cell: ({ utilization }) => barOf(utilization) },
    {
      header: 'memory'.padEnd(BAR + 5),
      neverCut: true,
      cell: ({ memoryUsedBytes: used, memoryTotalBytes: total }) =>
        barOf(used === undefined || total === undefined ? undefined : used / total),
    },
    {
      header: 'GiB',
      numeric: true,
      cell: ({ memoryUsedBytes: used, memoryTotalBytes: total }) =>
        used === undefined || total === undefined ? '-' : `${(used / GIB).toFixed(1)}/${(total / GIB).toFixed(0)}`,
    },
    { header: '°C', numeric: true, cell: ({ temperatureCelsius }) => temperatureCelsius?.toFixed(0) ?? '-' },
    { header: 'W', numeric: true, cell: ({ powerWatts }) => powerWatts?.toFixed(0) ?? '-' },
  ];
}

function barOf(share: number | undefined): string {
  if (share === undefined || !Number.isFinite(share)) return '-';
  const within = Math.min(1, Math.max(0, share));
  const cells = Math.round(within * BAR);
  return `${'█'.repeat(cells)}${'░'.repeat(BAR - cells)} ${String(Math.round(within * 100)).padStart(3)}%`;
}

function trialColumns({ board, state, now, slotOf }: Model, agent: Agent): Column<Trial>[] {
  const metric = board.metrics[0]?.name ?? '';
  return [
    { header: 'trial', neverCut: true, cell: ({ id }) => shortId(id) },
    { header: 'slot', numeric: true, cell: (trial) => String(slotOf(trial) ?? '') },
    { header: 'GPU', numeric: true, cell: (trial) => slotGpuText(agent, slotOf(trial)) },
    {
      header: 'epoch',
      numeric: true,
      cell: (trial) => [trial.epoch, parameterText(trial, 'epochs')].filter((part) => part !== '').join('/'),
    },
    { header: metric, numeric: true, cell: ({ metrics }) => formatMetric(ownValue(metrics, metric)) },
    { header: 'time', numeric: true, cell: (trial) => formatSpan(leasedMs(trial, now)) },
    { header: 'parameters', cell: (trial) => parametersText(trial, state.varying) },
  ];
}

function endedColumns({ board, state, now }: Model): Column<Trial>[] {
  const metric = board.metrics[0]?.name ?? '';
  return [
    { header: 'trial', neverCut: true, cell: ({ id }) => shortId(id) },
    {
      header: 'state',
      neverCut: true,
      cell: trialStateText,
      style: (trial) => trialStyle(trialState.of(trial.state)),
    },
    { header: metric, numeric: true, cell: ({ metrics }) => formatMetric(ownValue(metrics, metric)) },
    { header: 'time', numeric: true, cell: (trial) => formatSpan(leasedMs(trial, now)) },
    { header: 'ended', numeric: true, cell: ({ endedAtMs }) => `${formatSpan(Math.max(0, now - endedAtMs))} ago` },
    { header: 'parameters', cell: (trial) => parametersText(trial, state.varying) },
  ];
}

const MIG = /\bMIG\b/;

/** Lists the names of the GPUs on a card, such as `NVIDIA A100 MIG 1g.5gb ×2`. */
function namesText(names: readonly string[]): string {
  const counted = rollups(
    names,
    ({ length }) => length,
    (name) => name,
  );
  return counted.map(([name, count]) => (count === 1 ? name : `${name} ×${count}`)).join(', ') || '-';
}

/**
 * Returns the indexes of the cards that a slot uses. If the agent does not measure a card, the text contains the GPU's
 * position in the agent's list instead.
 */
function slotGpuText({ slots, gpus, gpuFigures }: Agent, slot: number | undefined): string {
  if (slot === undefined) return '';
  const hasMig = gpus.some((name) => MIG.test(name));
  const cardOf = (position: number) => gpuFigures.find((card) => card.gpus.includes(position))?.index ?? position;
  const cards = slotGpuIndexes(slot, slots, gpus.length, hasMig).map(cardOf);
  return cards.join(', ') || '-';
}
