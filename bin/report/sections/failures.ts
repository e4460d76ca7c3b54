import { rollups } from 'd3-array';
import { type FailureGroup, failureClassOf, failureGroups } from '../../../lib/domain/failure-groups.ts';
import { fromWire } from '../../../lib/domain/parameters.ts';
import { countText, formatCount } from '../../../lib/text/numbers.ts';
import { shortId } from '../../../lib/text/short-id.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../../proto/names.ts';
import { clipped } from '../charts/svg.ts';
import { commandOn, type ReportData } from '../data.ts';
import type { ReportBlock, Section } from '../document.ts';
import { MAX_AGENTS_LISTED, MAX_FAILED_TRIALS, MAX_FAILURE_GROUPS, MAX_MESSAGE } from '../limits.ts';
import { assignmentsText, type VariedParameters } from '../trial-results.ts';

/**
 * Returns the section with the failures by class and message, the failed trials, and the number of trials that
 * succeeded after more than one attempt. Undefined if no trial failed, and none succeeded after more than one attempt.
 */
export function failuresSection(data: ReportData, space: VariedParameters): Section | undefined {
  const failed = data.trials.filter(({ state }) => trialState.of(state) === 'failed');
  const retried = data.trials.filter(
    (trial) => trialState.of(trial.state) === 'succeeded' && trial.attempts > 1,
  ).length;
  if (failed.length === 0 && retried === 0) return undefined;
  const groups = failureGroups(failed);
  const blocks: ReportBlock[] = [{ kind: 'text', text: summary(failed, retried, data.trials.length) }];
  if (failed.length > 0) {
    blocks.push(
      groupTable(groups.slice(0, MAX_FAILURE_GROUPS)),
      failedTable(failed.slice(0, MAX_FAILED_TRIALS), space),
    );
  }
  const omitted = [
    ...(groups.length > MAX_FAILURE_GROUPS ? [restText(MAX_FAILURE_GROUPS, groups.length, 'groups of failures')] : []),
    ...(failed.length > MAX_FAILED_TRIALS ? [restText(MAX_FAILED_TRIALS, failed.length, 'failed trials')] : []),
  ];
  if (omitted.length > 0) {
    const command = commandOn(data, `trials ${data.sweep.id} --state failed`);
    const text = `${omitted.join(' ')} "${command}" lists all failed trials.`;
    blocks.push({ kind: 'note', text });
  }
  return { id: 'failures', title: 'Failures', blocks };
}

const restText = (shown: number, all: number, things: string): string =>
  `Only the first ${shown} of ${formatCount(all)} ${things} are listed.`;

function summary(failed: readonly Trial[], retried: number, all: number): string {
  const byClass = rollups(failed, ({ length }) => length, failureClassOf);
  const classes = byClass.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${count} ${name}`);
  const detail = classes.length === 0 ? '' : ` (${classes.join(', ')})`;
  const again = retried === 0 ? '' : ` ${countText(retried, 'trial')} succeeded after more than one attempt.`;
  return `${formatCount(failed.length)} of ${countText(all, 'trial')} failed${detail}.${again}`;
}

function groupTable(groups: readonly FailureGroup[]): ReportBlock {
  return {
    kind: 'table',
    table: {
      caption: 'Failures by class and message',
      columns: [
        { header: 'trials', numeric: true },
        { header: 'class', numeric: false },
        { header: 'message', numeric: false },
        { header: 'agents', numeric: false },
        { header: 'example', numeric: false },
      ],
      rows: groups.map(({ class: name, message, trials, agents }) => [
        formatCount(trials.length),
        name,
        clipped(message || '-', MAX_MESSAGE),
        agentsText(agents),
        shortId(trials[0]?.id ?? '-'),
      ]),
    },
  };
}

function agentsText(agents: readonly string[]): string {
  if (agents.length === 0) return '-';
  const rest = agents.length - MAX_AGENTS_LISTED;
  return `${agents.slice(0, MAX_AGENTS_LISTED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function failedTable(failed: readonly Trial[], space: VariedParameters): ReportBlock {
  return {
    kind: 'table',
    table: {
      caption: 'Failed trials',
      columns: [
        { header: 'trial', numeric: false },
        { header: 'class', numeric: false },
        { header: 'message', numeric: false },
        { header: 'setting', numeric: false },
        { header: 'seed', numeric: true },
        { header: 'attempts', numeric: true },
      ],
      rows: failed.map((trial) => [
        shortId(trial.id),
        failureClassOf(trial),
        clipped(trial.failure?.message ?? '-', MAX_MESSAGE),
        assignmentsText(fromWire(trial.parameters), space.varying),
        String(trial.seed),
        String(trial.attempts),
      ]),
    },
  };
}
