import type { Estimate, Judged, JudgedPart, Verdict } from '../../../coordinator/analysis/verdict.ts';
import { formatMetric } from '../../../dashboard/draw/numbers.ts';
import type { ReportData } from '../data.ts';
import type { Block, Section, Tone } from '../document.ts';

const TONE: Readonly<Record<Verdict, Tone>> = { supported: 'good', refuted: 'bad', undecided: 'open' };

/** What the results say of each hypothesis; no section where there is none. */
export function verdictsSection({ judged, judgedFile }: ReportData): Section | undefined {
  if (judged.length === 0) return undefined;
  const from: Block[] =
    judgedFile === undefined ? [] : [{ kind: 'note', text: `The hypotheses are those of ${judgedFile}.` }];
  const methods = [...new Set(judged.map(({ method }) => method).filter((method) => method !== ''))];
  return {
    id: 'verdicts',
    title: 'The verdicts',
    blocks: [
      ...from,
      overview(judged),
      ...judged.flatMap(hypothesisBlocks),
      ...(methods.length === 0 ? [] : [{ kind: 'heading', text: 'How they were judged' } as const]),
      ...methods.map((text) => ({ kind: 'text', text }) as const),
    ],
  };
}

function overview(judged: readonly Judged[]): Block {
  const columns = ['hypothesis', 'claim', 'verdict'].map((header) => ({ header, numeric: false }));
  const rows = judged.map(({ name, claim, where, verdict }) => [
    name,
    where === '' ? claim : `${claim}, where ${where}`,
    verdict,
  ]);
  return { kind: 'table', table: { caption: 'All hypotheses', columns, rows } };
}

function hypothesisBlocks(judged: Judged): Block[] {
  const { name, about, claim, where, verdict, because, parts, moreSeeds } = judged;
  const facts: [string, string][] = [
    ['claim', claim],
    ...(where === '' ? [] : ([['where', where]] as [string, string][])),
    ['because', because],
    ...(moreSeeds === undefined
      ? []
      : ([['more seeds needed', `about ${moreSeeds} of each config`]] as [string, string][])),
  ];
  return [
    { kind: 'heading', text: name, badge: { text: verdict, tone: TONE[verdict] } },
    ...(about === '' ? [] : [{ kind: 'text', text: about } as const]),
    { kind: 'facts', rows: facts },
    ...(parts.length === 0 ? [] : [partsTable(name, parts)]),
  ];
}

/** The reason and the seeds of a single part stand above already. */
function partsTable(name: string, parts: readonly JudgedPart[]): Block {
  const single = parts.length === 1;
  const columns = [
    { header: 'claim', numeric: false },
    { header: 'verdict', numeric: false },
    { header: 'effect', numeric: true },
    { header: 'interval', numeric: false },
    { header: 'effect size', numeric: true },
    { header: 'n', numeric: true },
    ...(single
      ? []
      : [
          { header: 'more seeds', numeric: true },
          { header: 'because', numeric: false },
        ]),
  ];
  const rows = parts.map(({ claim, verdict, estimate, because, moreSeeds }) => [
    claim,
    verdict,
    formatMetric(estimate?.effect),
    intervalText(estimate),
    estimate === undefined ? '-' : String(Number(estimate.effectSize.toPrecision(3))),
    estimate === undefined ? '-' : sidesText(estimate.n),
    ...(single ? [] : [moreSeeds === undefined ? '-' : String(moreSeeds), because]),
  ]);
  return { kind: 'table', table: { caption: `${name}: ${single ? 'comparison' : 'comparisons'}`, columns, rows } };
}

/** A trend has one side only. */
const sidesText = ([left, right]: readonly [number, number]) => (right === 0 ? String(left) : `${left} and ${right}`);

function intervalText(estimate: Estimate | undefined): string {
  if (estimate === undefined) return '-';
  const level = Math.round(estimate.level * 1000) / 10;
  return `${level} %: ${formatMetric(estimate.low)} to ${formatMetric(estimate.high)}`;
}
