import { fromWire } from '../../../lib/domain/parameters.ts';
import { countText, formatCount } from '../../../lib/text/numbers.ts';
import { shortId } from '../../../lib/text/short-id.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import { failureClass, trialState } from '../../../proto/names.ts';
import { clipped } from '../charts/svg.ts';
import type { ReportData } from '../data.ts';
import type { ReportBlock, Section } from '../document.ts';
import { MAX_FAILED_TRIALS, MAX_MESSAGE } from '../limits.ts';
import { assignmentsText, type VariedParameters } from '../trial-results.ts';

/** Returns the section with the failed and the retried trials; undefined if there are no such trials. */
export function failuresSection(data: ReportData, space: VariedParameters): Section | undefined {
  const failed = data.trials.filter(({ state }) => trialState.of(state) === 'failed');
  const retried = data.trials.filter(
    (trial) => trialState.of(trial.state) === 'succeeded' && trial.attempts > 1,
  ).length;
  if (failed.length === 0 && retried === 0) return undefined;
  const blocks: ReportBlock[] = [{ kind: 'text', text: summary(failed, retried, data.trials.length) }];
  if (failed.length > 0) blocks.push(failedTable(failed.slice(0, MAX_FAILED_TRIALS), space));
  if (failed.length > MAX_FAILED_TRIALS) {
    const text =
      `Only the first ${MAX_FAILED_TRIALS} of ${formatCount(failed.length)} failed trials are listed; ` +
      `"trawl trials ${data.sweep.id} --state failed" lists all of them.`;
    blocks.push({ kind: 'note', text });
  }
  return { id: 'failures', title: 'Failures', blocks };
}

function summary(failed: readonly Trial[], retried: number, all: number): string {
  const byClass = new Map<string, number>();
  for (const trial of failed) byClass.set(classOf(trial), (byClass.get(classOf(trial)) ?? 0) + 1);
  const classes = [...byClass].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${count} ${name}`);
  const detail = classes.length === 0 ? '' : ` (${classes.join(', ')})`;
  const again = retried === 0 ? '' : ` ${countText(retried, 'trial')} succeeded after more than one attempt.`;
  return `${formatCount(failed.length)} of ${countText(all, 'trial')} failed${detail}.${again}`;
}

const classOf = ({ failure }: Trial): string => (failure === undefined ? 'unknown' : failureClass.of(failure.class));

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
        classOf(trial),
        clipped(trial.failure?.message ?? '-', MAX_MESSAGE),
        assignmentsText(fromWire(trial.parameters), space.varying),
        String(trial.seed),
        String(trial.attempts),
      ]),
    },
  };
}
