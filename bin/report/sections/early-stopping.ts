import { rollups } from 'd3-array';
import { fromWire } from '../../../lib/domain/parameters.ts';
import { countText, formatCount, formatStep } from '../../../lib/text/numbers.ts';
import { shortId } from '../../../lib/text/short-id.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../../proto/names.ts';
import { clipped } from '../charts/svg.ts';
import { commandOn, type ReportData } from '../data.ts';
import type { ReportBlock, Section } from '../document.ts';
import { MAX_MESSAGE, MAX_STOPPED_TRIALS } from '../limits.ts';
import { assignmentsText, type VariedParameters } from '../trial-results.ts';

/**
 * Returns the section with the trials that were stopped early and the reasons. Undefined if no trial was stopped early.
 */
export function earlyStoppingSection(data: ReportData, space: VariedParameters): Section | undefined {
  const stopped = data.trials.filter((trial) => trial.stopReason !== '' && trialState.of(trial.state) === 'stopped');
  if (stopped.length === 0) return undefined;
  const all = countText(data.trials.length, 'trial');
  const epochs = rollups(
    stopped,
    ({ length }) => length,
    ({ epoch }) => epoch,
  ).sort(([a], [b]) => a - b);
  const places = epochs.map(([epoch, count]) => `${formatCount(count)} at epoch ${formatStep(epoch)}`);
  const blocks: ReportBlock[] = [
    { kind: 'text', text: `${formatCount(stopped.length)} of ${all} were stopped early: ${places.join(', ')}.` },
    stoppedTable(stopped.slice(0, MAX_STOPPED_TRIALS), space),
  ];
  if (stopped.length > MAX_STOPPED_TRIALS) {
    const command = commandOn(data, `trials ${data.sweep.id} --state stopped`);
    const shown = `Only the first ${MAX_STOPPED_TRIALS} of ${formatCount(stopped.length)} stopped trials are listed.`;
    blocks.push({ kind: 'note', text: `${shown} "${command}" lists all of them.` });
  }
  return { id: 'early-stopping', title: 'Early stopping', blocks };
}

function stoppedTable(stopped: readonly Trial[], space: VariedParameters): ReportBlock {
  return {
    kind: 'table',
    table: {
      caption: 'Stopped trials',
      columns: [
        { header: 'trial', numeric: false },
        { header: 'epoch', numeric: true },
        { header: 'reason', numeric: false },
        { header: 'setting', numeric: false },
        { header: 'seed', numeric: true },
      ],
      rows: stopped.map((trial) => [
        shortId(trial.id),
        formatStep(trial.epoch),
        clipped(trial.stopReason, MAX_MESSAGE),
        assignmentsText(fromWire(trial.parameters), space.varying),
        String(trial.seed),
      ]),
    },
  };
}
