/** What a reader wants to know first. */
import { formatSpan } from '../../lib/text/numbers.ts';
import { sweepState } from '../../proto/names.ts';
import { percent } from './charts/share-chart.ts';
import type { ReportData } from './data.ts';
import type { Highlight } from './document.ts';
import { spreadText } from './sections/ranking.ts';
import { grouped, objectiveOf, type Space, settingText } from './trial-results.ts';

export function highlightsOf(data: ReportData, space: Space): Highlight[] {
  return [bestOf(data, space), verdictsOf(data), mainEffectOf(data), trialsOf(data)].filter((of) => of !== undefined);
}

function bestOf(data: ReportData, space: Space): Highlight | undefined {
  const metric = objectiveOf(data);
  const best = data.configs.find(({ rank }) => rank === 1);
  if (best === undefined) return undefined;
  const detail = settingText(space.parameters.get(best) ?? {}, space.varying);
  return { label: `best ${metric}`, value: spreadText(best.metrics[metric]), detail };
}

function verdictsOf({ judged }: ReportData): Highlight | undefined {
  if (judged.length === 0) return undefined;
  const count = (verdict: string) => judged.filter((one) => one.verdict === verdict).length;
  return {
    label: 'hypotheses supported',
    value: `${count('supported')} of ${judged.length}`,
    detail: `${count('refuted')} refuted, ${count('undecided')} undecided`,
  };
}

function mainEffectOf({ importance }: ReportData): Highlight | undefined {
  const main = importance?.effects[0];
  if (importance === undefined || main === undefined) return undefined;
  const detail = `${percent(main.share)} of the variation of ${importance.metric}`;
  return { label: 'what matters most', value: main.parameter, detail };
}

function trialsOf({ sweep, trials }: ReportData): Highlight {
  const failed = sweep.counts?.failed ?? 0;
  const done = (sweep.counts?.succeeded ?? 0) + (sweep.counts?.stopped ?? 0);
  const took =
    sweep.endedAtMs === 0 ? sweepState.of(sweep.state) : `in ${formatSpan(sweep.endedAtMs - sweep.createdAtMs)}`;
  return {
    label: 'trials with a result',
    value: `${grouped(done)} of ${grouped(trials.length)}`,
    detail: `${failed === 0 ? 'none' : grouped(failed)} failed, ${took}`,
  };
}
