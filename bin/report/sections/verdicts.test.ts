import { expect, test } from 'vitest';
import { parseSweep } from '../../../coordinator/sweepfile/parse.ts';
import { factsOf, notesOf, rowsOf, sectionOf, tablesOf } from '../document.fixture.ts';
import { documentOf } from '../document-of.ts';
import { reportData } from '../report-data.fixture.ts';

const NOW = new Date(0);

const SWEEP = `
command: [sh, train.sh]
metric: { name: loss, goal: minimize }
parameters: { width: { values: [16, 32, 64] } }
seeds: [0, 1, 2]
hypotheses:
  - { name: right, about: Wider is better., claim: "loss[width=16] > loss[width=64]" }
  - { name: wrong, claim: "loss[width=16] < loss[width=64]" }
  - { name: close, claim: "loss[width=32] > loss[width=64]" }
  - { name: order, claim: "loss[width]: 16 > 32 > 64", where: { width: [16, 32, 64] } }
  - { name: trend, claim: loss falls over epochs }
`;

const LOSSES: Readonly<Record<number, readonly number[]>> = { 16: [3, 3.1, 2.9], 32: [1.1, 1.3, 1], 64: [1, 1.2, 0.9] };

const data = (asked?: Parameters<typeof reportData>[2]) =>
  reportData(
    SWEEP,
    ({ parameters, seed }) => {
      const loss = LOSSES[Number(parameters.width)]?.[seed] ?? Number.NaN;
      return { curves: { loss: [5, 4, 3, 2, 1, 0].map((more) => loss + more) } };
    },
    asked,
  );

const verdicts = () => sectionOf(documentOf(data(), NOW), 'verdicts');

test('the table of all hypotheses has each verdict with its effect, interval, effect size, n and seeds needed', () => {
  const [table] = tablesOf(verdicts());
  const rows = table === undefined ? [] : rowsOf(table);
  expect(rows.map(({ hypothesis, verdict }) => [hypothesis, verdict])).toEqual([
    ['right', 'supported'],
    ['wrong', 'refuted'],
    ['close', 'undecided'],
    ['order', 'undecided'],
    ['trend', 'supported'],
  ]);
  // scipy.stats.ttest_ind(L[16], L[64], equal_var=False).confidence_interval(.95)
  expect(rows[0]).toMatchObject({ effect: '1.9667', n: '3 and 3', 'more seeds': '-' });
  expect(rows[0]?.['95% interval']).toMatch(/^1\.6\d+ to 2\.2\d+$/);
  expect(Number(rows[0]?.['effect size'])).toBeGreaterThan(5);
  expect(Number(rows[2]?.['more seeds'])).toBeGreaterThan(1);
  expect(rows[3]).toMatchObject({ effect: '2 steps', '95% interval': '-', claim: /, where width=16\|32\|64$/ });
  expect(rows[4]).toMatchObject({ effect: '1.0000', n: '9' });
});

test('the section has the reason and method of each verdict, and a table for each claim of several steps', () => {
  const section = verdicts();
  const headings = section.blocks.flatMap((block) =>
    block.kind === 'heading' ? [[block.text, block.badge?.tone]] : [],
  );
  expect(headings).toEqual([
    ['right', 'good'],
    ['wrong', 'bad'],
    ['close', 'open'],
    ['order', 'open'],
    ['trend', 'good'],
  ]);
  expect(section.blocks).toContainEqual({ kind: 'text', text: 'Wider is better.' });
  expect(factsOf(section)).toMatchObject({ claim: 'loss falls over epochs', method: /^Kendall's tau/ });
  const [, steps] = tablesOf(section);
  expect(steps?.caption).toBe('The steps of order');
  expect(steps && rowsOf(steps)).toMatchObject([
    { step: 'loss[width=16] > loss[width=32]', verdict: 'supported', '95% interval': /\(97\.5%\)$/ },
    { step: 'loss[width=32] > loss[width=64]', verdict: 'undecided' },
  ]);
});

test('the table and the sentence about a hypothesis both state that more than 100 seeds are needed', () => {
  const claims = ['loss[width]: 16 > 32 > 64', 'loss[width]: 16 > 64 > 32', 'loss[width=32] > loss[width=64]'];
  const own = claims.map((claim, i) => `  - { name: h${i}, claim: "${claim}" }`).join('\n');
  const [design] = SWEEP.split('  - ');
  const losses: Readonly<Record<number, readonly number[]>> = {
    16: [1, 1.6, 0.7],
    32: [0.9, 0.8, 1.1],
    64: [1, 0.7, 1.1001],
  };
  const judged = reportData(`${design}${own}\n`, ({ parameters, seed }) => ({
    curves: { loss: [losses[Number(parameters.width)]?.[seed] ?? Number.NaN] },
  }));
  const section = sectionOf(documentOf(judged, NOW), 'verdicts');
  const rows = tablesOf(section).slice(0, 1).flatMap(rowsOf);
  const sentences = section.blocks.flatMap((block) =>
    block.kind === 'facts' ? block.rows.filter(([name]) => name === 'because').map(([, text]) => text) : [],
  );
  expect(rows.map((row) => row['more seeds'])).toEqual(['> 100', '> 100', '> 100']);
  for (const sentence of sentences) expect(sentence).toContain('more than 100 seeds would be needed');
});

test('a file of other hypotheses replaces the hypotheses of the sweep, and the report names the file', () => {
  const [designOnly] = SWEEP.split('hypotheses:');
  const text = `${designOnly}hypotheses:\n  - { name: later, claim: loss rises over epochs }\n`;
  const later = parseSweep(text, 'later.yaml');
  const section = sectionOf(documentOf(data({ file: 'later.yaml', hypotheses: later.hypotheses }), NOW), 'verdicts');
  const [table] = tablesOf(section);
  expect(notesOf(section)).toEqual(['The hypotheses are from later.yaml.']);
  expect(table && rowsOf(table)).toMatchObject([{ hypothesis: 'later', verdict: 'refuted' }]);
});
