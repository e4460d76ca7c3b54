/** Composes the document of a report from its data. */

import { NO_SLOT_TIME, slotTimeText } from '../../lib/domain/slot-time.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { countText, formatCount } from '../../lib/text/numbers.ts';
import { toComeText } from '../../lib/text/trials-to-come.ts';
import { sweepState } from '../../proto/names.ts';
import type { ReportData } from './data.ts';
import type { Document, Section } from './document.ts';
import { curvesSection } from './sections/curves.ts';
import { designSection } from './sections/design.ts';
import { earlyStoppingSection } from './sections/early-stopping.ts';
import { effectsSection } from './sections/effects.ts';
import { failuresSection } from './sections/failures.ts';
import { parallelSection } from './sections/parallel.ts';
import { populationSection } from './sections/population.ts';
import { highlightsOf, rankingSection } from './sections/ranking.ts';
import { reconstructionsSection } from './sections/reconstructions.ts';
import { reproduceSection } from './sections/reproduce.ts';
import { verdictsSection } from './sections/verdicts.ts';
import { warningsSection } from './sections/warnings.ts';
import { variedParameters } from './trial-results.ts';

/**
 * Returns the document of a report.
 * @param writtenAt the time in the footer; all other parts depend on the data only
 */
export function documentOf(data: ReportData, writtenAt: Date): Document {
  const space = variedParameters(data);
  const sections = [
    questionSection(data),
    warningsSection(data),
    designSection(data, space),
    verdictsSection(data),
    rankingSection(data, space),
    curvesSection(data, space),
    effectsSection(data),
    parallelSection(data, space),
    reconstructionsSection(data, space),
    populationSection(data),
    earlyStoppingSection(data, space),
    failuresSection(data, space),
    reproduceSection(data),
  ];
  return {
    title: data.sweep.name,
    state: stateText(data),
    highlights: highlightsOf(data, space),
    sections: sections.filter((section) => section !== undefined),
    written: `Written by trawl ${data.version} at ${writtenAt.toISOString()}.`,
  };
}

function questionSection({ spec }: ReportData): Section | undefined {
  if (spec.description === '') return undefined;
  return { id: 'question', title: 'Question', blocks: [{ kind: 'text', text: spec.description }] };
}

function stateText({ sweep, trials }: ReportData): string {
  const counts = Object.entries(sweep.counts ?? {}).filter(([, count]) => count > 0);
  const reason = sweep.reason === '' ? '' : ` (${sweep.reason})`;
  const took = sweep.endedAtMs === 0 ? '' : ` after ${formatSpan(sweep.endedAtMs - sweep.createdAtMs)}`;
  const { slotTime = NO_SLOT_TIME } = sweep;
  const used = slotTime.slotMs > 0 ? `${slotTimeText(slotTime)} used` : '';
  const states = counts.map(([state, count]) => `${formatCount(count)} ${state}`).join(', ');
  return `Sweep ${sweep.id} ${sweepState.of(sweep.state)}${took}${reason}: ${countText(trials.length, 'trial')}, ${[states, toComeText(sweep), used].filter(Boolean).join(', ')}.`;
}
