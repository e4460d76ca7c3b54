import { expect, test } from 'vitest';
import { toWire } from '../../../lib/domain/parameters.ts';
import { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import type { ReportData } from '../data.ts';
import { figuresOf, notesOf, rowsOf, tablesOf } from '../document.fixture.ts';
import { MAX_MEMBERS_DRAWN } from '../limits.ts';
import { reportData } from '../report-data.fixture.ts';
import { populationSection } from './population.ts';

const sweep = (population: number) => `
name: population
command: [python3, train.py]
method: pbt
population: ${population}
pbt: { interval: 2, explore: [lr] }
metric: { name: loss, goal: minimize }
parameters:
  lr: { min: 0.1, max: 1 }
  epochs: { value: 4 }
`;

/**
 * The first member has loss 1 after every epoch, the second member has loss 2, and so on. A child of the first member
 * replaces the last member.
 */
function withChild(population = 4): ReportData {
  const data = reportData(sweep(population), ({ index }) => {
    const loss = index + 1;
    const isReplaced = index === population - 1;
    return isReplaced
      ? { state: 'stopped', stopReason: 'pbt: worst', curves: { loss: [loss, loss] } }
      : { curves: { loss: [loss, loss, loss, loss] } };
  });
  const [first, last] = [data.trials[0], data.trials.at(-1)];
  if (first === undefined || last === undefined) throw new Error('the population is empty');
  const child = Trial.fromPartial({
    ...first,
    id: 'c'.repeat(16),
    configId: 'd'.repeat(16),
    index: population,
    parameters: toWire({ lr: 0.5, epochs: 4 }),
    metrics: { loss: 0.5 },
    origin: { parent: first.id, epoch: 2, replaces: last.id },
  });
  const reports = [3, 4].map((epoch) => ({ attempt: 1, epoch, atMs: 0, metrics: { loss: 0.5 } }));
  return { ...data, trials: [...data.trials, child], curves: new Map([...data.curves, [child.id, reports]]) };
}

test('the report of a population draws one row per member, and a branch from the parent to its child', () => {
  const section = populationSection(withChild());
  expect(section?.blocks[0]).toMatchObject({
    text: 'The 4 members of the population are compared after every 2 epochs. 1 child has replaced another member.',
  });
  const [lineage, parameters] = section === undefined ? [] : figuresOf(section);
  const drawing = lineage?.panels[0]?.drawing.content ?? '';
  // Three members have two steps each; the replaced member and the child have one step each. All steps have shades of
  // the first color.
  expect(drawing.match(/class="s0"/g)).toHaveLength(8);
  // The second color shows the path to the best trial: the parent up to epoch 2, the branch, and the child.
  expect(drawing.match(/class="strong s1"/g)).toHaveLength(3);
  expect(drawing).toContain('0.50000  cccccccc');
  expect(parameters?.panels.map(({ alt }) => alt)).toEqual(['lr of 5 trials over the epochs.']);
});

test('the darkest line has the best value at its epoch, and the lightest line has the worst value', () => {
  const [lineage] = figuresOf(populationSection(withChild()) ?? { id: '', title: '', blocks: [] });
  const drawing = lineage?.panels[0]?.drawing.content ?? '';
  const opacities = [...drawing.matchAll(/stroke-opacity="([\d.]+)"/g)].map(([, opacity]) => Number(opacity));
  expect(opacities).toEqual([1, 0.73, 0.73, 0.47, 0.47, 0.2, 0.2, 1]);
});

test('the table of a population lists each trial with its parent, its epochs and its explored parameters', () => {
  const [table] = tablesOf(populationSection(withChild()) ?? { id: '', title: '', blocks: [] });
  const rows = table === undefined ? [] : rowsOf(table);
  expect(rows.map((row) => [row.member, row['from epoch'], row['to epoch'], row.loss])).toEqual([
    ['0', '0', '4', '1.0000'],
    ['1', '0', '4', '2.0000'],
    ['2', '0', '4', '3.0000'],
    ['3', '0', '2', '4.0000'],
    ['3', '2', '4', '0.50000'],
  ]);
  expect(rows.at(-1)).toMatchObject({ trial: 'cccccccc', parent: withChild().trials[0]?.id.slice(0, 8), lr: '0.5' });
});

test('only the best members of a large population are drawn, with a note', () => {
  const section = populationSection(withChild(MAX_MEMBERS_DRAWN + 10));
  const [lineage] = section === undefined ? [] : figuresOf(section);
  const labels = lineage?.panels[0]?.drawing.content.match(/text-anchor="end"/g);
  expect(labels).toHaveLength(MAX_MEMBERS_DRAWN);
  expect(section && notesOf(section)).toEqual([
    `Shown: the best ${MAX_MEMBERS_DRAWN} of ${MAX_MEMBERS_DRAWN + 10} members.`,
  ]);
});

test('the report of a sweep without a population, or without reports, has no population section', () => {
  const text = sweep(4)
    .replace('method: pbt', 'method: random\nrun_cap: 4')
    .replace(/population: 4\npbt.*\n/, '');
  expect(populationSection(reportData(text, () => ({ curves: { loss: [1] } })))).toBeUndefined();
  expect(populationSection(reportData(sweep(4), () => ({ state: 'pending' })))).toBeUndefined();
});
