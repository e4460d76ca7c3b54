import {
  ABOVE_LIMIT,
  type Estimate,
  type JudgedHypothesis,
  type JudgedPart,
  type MoreSeeds,
  type Verdict,
} from '../../../coordinator/analysis/judgment.ts';
import { MAX_SEEDS_NEEDED } from '../../../coordinator/analysis/statistics.ts';
import { formatMetric } from '../../../lib/text/numbers.ts';
import type { ReportData } from '../data.ts';
import type { Badge, ReportBlock, ReportTable, Section, VerdictStyle } from '../document.ts';

const TONE: Readonly<Record<Verdict, VerdictStyle>> = { supported: 'good', refuted: 'bad', undecided: 'open' };

const badge = (verdict: Verdict): Badge => ({ text: verdict, tone: TONE[verdict] });

/** Returns the section with the verdict on each hypothesis; undefined without hypotheses. */
export function verdictsSection({ judged, hypothesisFile }: ReportData): Section | undefined {
  if (judged.length === 0) return undefined;
  const from: ReportBlock[] =
    hypothesisFile === undefined ? [] : [{ kind: 'note', text: `The hypotheses are from ${hypothesisFile}.` }];
  return {
    id: 'verdicts',
    title: 'Verdicts',
    blocks: [
      ...from,
      { kind: 'text', text: READING },
      { kind: 'table', table: overview(judged) },
      ...judged.flatMap(hypothesisBlocks),
    ],
  };
}

const READING =
  'Effects are in the unit of the metric, and positive in the direction of the claim; n counts trials. A claim is ' +
  'supported if the confidence interval of its effect lies entirely above 0, refuted if the interval lies entirely ' +
  'below 0, and otherwise undecided. The column "more seeds" is the number of further seeds per config that would ' +
  `probably decide the claim (> ${MAX_SEEDS_NEEDED}: more than ${MAX_SEEDS_NEEDED} seeds per config in total). For a claim of several steps, this ` +
  'is the number for the step that needs the most seeds.';

/**
 * The usual confidence level, in percent. The header of the table states this level, so the text of an interval states
 * a level only if it differs from the usual level.
 */
const USUAL_LEVEL = 95;

const MEASURES = [
  { header: 'effect', numeric: true },
  { header: `${USUAL_LEVEL}% interval`, numeric: true },
  { header: 'effect size', numeric: true },
  { header: 'n', numeric: true },
  { header: 'more seeds', numeric: true },
];

function overview(judged: readonly JudgedHypothesis[]): ReportTable {
  return {
    caption: 'All hypotheses',
    columns: [...['hypothesis', 'verdict', 'claim'].map((header) => ({ header, numeric: false })), ...MEASURES],
    rows: judged.map((one) => [one.name, badge(one.verdict), claimText(one), ...measures(one.parts, one.moreSeeds)]),
  };
}

const claimText = ({ claim, where }: JudgedHypothesis): string => (where === '' ? claim : `${claim}, where ${where}`);

function measures(parts: readonly JudgedPart[], moreSeeds: MoreSeeds): string[] {
  const estimate = parts.length === 1 ? parts[0]?.estimate : undefined;
  return [
    parts.length > 1 ? `${parts.length} steps` : formatMetric(estimate?.effect),
    intervalText(estimate),
    sizeText(estimate),
    estimate === undefined ? '-' : sidesText(estimate.n),
    seedsText(moreSeeds),
  ];
}

function seedsText(moreSeeds: MoreSeeds): string {
  if (moreSeeds === undefined) return '-';
  return moreSeeds === ABOVE_LIMIT ? `> ${MAX_SEEDS_NEEDED}` : String(moreSeeds);
}

function hypothesisBlocks(judged: JudgedHypothesis): ReportBlock[] {
  const { name, about, verdict, because, parts, method } = judged;
  return [
    { kind: 'heading', text: name, badge: badge(verdict) },
    ...(about === '' ? [] : [{ kind: 'text', text: about } as const]),
    {
      kind: 'facts',
      rows: [
        ['claim', claimText(judged)],
        ['because', because],
        ['method', method],
      ],
    },
    ...(parts.length < 2 ? [] : [{ kind: 'table', table: stepsTable(name, parts) } as const]),
  ];
}

function stepsTable(name: string, parts: readonly JudgedPart[]): ReportTable {
  return {
    caption: `The steps of ${name}`,
    columns: [
      { header: 'step', numeric: false },
      { header: 'verdict', numeric: false },
      ...MEASURES,
      { header: 'because', numeric: false },
    ],
    rows: parts.map((part) => [part.claim, badge(part.verdict), ...measures([part], part.moreSeeds), part.because]),
  };
}

/** Formats the effect size, which is infinite if the values of each config do not vary between seeds. */
function sizeText(estimate: Estimate | undefined): string {
  if (estimate === undefined) return '-';
  return Number.isFinite(estimate.effectSize) ? String(Number(estimate.effectSize.toPrecision(3))) : 'infinite';
}

/** Formats the sizes of the two samples. A trend has only one sample. */
const sidesText = ([left, right]: readonly [number, number]) => (right === 0 ? String(left) : `${left} and ${right}`);

function intervalText(estimate: Estimate | undefined): string {
  if (estimate === undefined) return '-';
  const level = Math.round(estimate.level * 1000) / 10;
  const levelNote = level === USUAL_LEVEL ? '' : ` (${level}%)`;
  return `${formatMetric(estimate.low)} to ${formatMetric(estimate.high)}${levelNote}`;
}
