import { expect, test } from 'vitest';
import { NO_SLOT_TIME } from '../../lib/domain/slot-time.ts';
import type { SweepLocation } from './data.ts';
import { factsOf, figuresOf, notesOf, rowsOf, sectionIds, sectionOf, tablesOf } from './document.fixture.ts';
import { documentOf } from './document-of.ts';
import { MAX_FAILED_TRIALS, MAX_FAILURE_GROUPS, MAX_RANKED_CONFIGS } from './limits.ts';
import { type Outcome, reportData } from './report-data.fixture.ts';

const NOW = new Date(Date.UTC(2025, 1, 1));

const GRID = `
name: grid
description: Which width?
command: [sh, train.sh]
metric: { name: loss, goal: minimize }
parameters:
  width: { values: [16, 64] }
  noise: { values: [0, 0.5] }
  epochs: { value: 4 }
seeds: [0, 1, 2]
`;

const falling = (width: number, seed: number): Outcome => ({
  curves: { loss: [4, 3, 2, 1].map((v) => v + 8 / width + 0.01 * seed), psnr: [10, 11, 12, 12.5].map((v) => v + seed) },
});

const grid = (text = '') =>
  documentOf(
    reportData(GRID + text, ({ parameters, seed }) => falling(Number(parameters.width), seed)),
    NOW,
  );

test('a report has the question, the design, the results and the commands that reproduce the results', () => {
  const document = grid();
  expect(sectionIds(document)).toEqual(['question', 'design', 'ranking', 'curves', 'effects', 'parallel', 'reproduce']);
  expect(document.title).toBe('grid');
  expect(document.state).toBe('Sweep 1 finished after 1m00s: 12 trials, 12 succeeded.');
  expect(factsOf(sectionOf(document, 'design'))).toMatchObject({
    objective: 'loss, to minimize',
    trials: '12 = 4 configs × 3 replicates',
    seeds: '0, 1, 2',
    'fixed parameters': 'epochs=4',
  });
  const code = sectionOf(document, 'reproduce').blocks.flatMap((block) => (block.kind === 'code' ? [block.text] : []));
  expect(code).toEqual(['trawl plan sweep.yaml\ntrawl up sweep.yaml --dir runs\ntrawl report --dir runs', GRID]);
});

test('the design section shows the minimum and maximum number of adaptive replicates', () => {
  const text = GRID.replace('seeds: [0, 1, 2]', 'replicates: {min: 2, max: 4, until: decided}');
  const data = reportData(text, ({ parameters, seed }) => falling(Number(parameters.width), seed));
  expect(factsOf(sectionOf(documentOf(data, NOW), 'design'))).toMatchObject({
    trials: 'at most 16 = 4 configs × 2 to 4 replicates',
    seeds: '0, 1, 2, 3 (each config runs with at least the first 2 of these seeds, and at most 4)',
  });
});

test('the design section of a population shows the maximum number of trials, children included', () => {
  const text = `
name: population
method: pbt
population: 4
pbt: { interval: 2, explore: [lr], quantile: 0.25 }
command: [sh, train.sh]
metric: { name: loss, goal: minimize }
parameters: { lr: { min: 0.1, max: 1 }, epochs: { value: 8 } }
`;
  const data = reportData(text, () => ({ curves: { loss: [4, 3, 2, 1] } }));
  expect(factsOf(sectionOf(documentOf(data, NOW), 'design'))).toMatchObject({
    trials: 'at most 7: 4 members, and up to 1 child after each of 3 comparisons',
    seeds: 'each trial has its own seed',
  });
});

test('the highlights are the best result, the verdicts, the main effect and the number of trials', () => {
  const { highlights } = grid('hypotheses:\n  - { name: H1, claim: "loss[width=16] > loss[width=64]" }\n');
  expect(highlights).toEqual([
    { label: 'best loss', value: '1.1350 ± 0.010', detail: 'width=64 noise=0' },
    { label: 'hypotheses supported', value: '1 of 1', detail: '0 refuted, 0 undecided' },
    { label: 'what matters most', value: 'width', detail: '99.8% of the variation of loss' },
    { label: 'trials with a result', value: '12 of 12', detail: 'none failed, in 1m00s' },
  ]);
});

test('two reports of the same data differ only in the time of writing', () => {
  const { written, ...first } = grid();
  const data = reportData(GRID, ({ parameters, seed }) => falling(Number(parameters.width), seed));
  const { written: later, ...second } = documentOf(data, new Date(Date.UTC(2026, 1, 1)));
  expect(second).toEqual(first);
  expect(later).not.toBe(written);
});

test('configs are ranked by the mean over their replicates, which is shown with the standard deviation', () => {
  const [table] = tablesOf(sectionOf(grid(), 'ranking'));
  const rows = table === undefined ? [] : rowsOf(table);
  expect(rows.map((row) => [row.rank, row.loss, row.n, row.width, row.psnr])).toEqual([
    ['1', '1.1350 ± 0.010', '3', '64', '13.500 ± 1.0'],
    ['1', '1.1350 ± 0.010', '3', '64', '13.500 ± 1.0'],
    ['3', '1.5100 ± 0.010', '3', '16', '13.500 ± 1.0'],
    ['3', '1.5100 ± 0.010', '3', '16', '13.500 ± 1.0'],
  ]);
});

test('a report ranks configs from the highest value if the goal is to maximize', () => {
  const data = reportData(GRID.replace('minimize', 'maximize'), ({ parameters, seed }) =>
    falling(Number(parameters.width), seed),
  );
  const [table] = tablesOf(sectionOf(documentOf(data, NOW), 'ranking'));
  expect(table && rowsOf(table)[0]?.width).toBe('16');
});

test('a long ranking is truncated, and a note explains how to get the rest', () => {
  const text = `trainer: noop\nparameters:\n  x: { min: 1, max: ${MAX_RANKED_CONFIGS + 10}, step: 1 }\n`;
  const data = reportData(text, ({ index }) => ({ curves: { test_loss: [index] } }));
  const ranking = sectionOf(documentOf(data, NOW), 'ranking');
  expect(tablesOf(ranking)[0]?.rows).toHaveLength(MAX_RANKED_CONFIGS);
  expect(notesOf(ranking)[0]).toMatch(/^Only the first 50 of 60 configs .*"trawl export 1 -f csv"/);
});

test('the curves section shows the objective and the metrics of the hypotheses, and its captions explain the band', () => {
  const figures = figuresOf(
    sectionOf(grid('hypotheses:\n  - { name: H1, claim: psnr rises over epochs }\n'), 'curves'),
  );
  expect(figures.map(({ title }) => title)).toEqual(['loss over the epochs', 'psnr over the epochs']);
  expect(figures[0]?.caption).toContain('the band spans all of its trials');
  expect(figures[0]?.legend).toEqual(
    ['width=16 noise=0', 'width=16 noise=0.5', 'width=64 noise=0', 'width=64 noise=0.5'].toSorted(
      (a, b) => (a.includes('64') ? 0 : 1) - (b.includes('64') ? 0 : 1),
    ),
  );
  const [row] = figures[0]?.table === undefined ? [] : rowsOf(figures[0].table);
  expect(row).toMatchObject({ line: 'width=64 noise=0', 'epoch 1': '4.1350', 'epoch 4': '1.1350' });
});

test.each([
  [(epoch: number) => epoch / 10, ['epoch 0.1', 'epoch 0.2', 'epoch 0.3', 'epoch 0.4']],
  [
    (epoch: number) => (epoch - 1) * 1e12,
    ['epoch 0', 'epoch 1000000000000', 'epoch 2000000000000', 'epoch 3000000000000'],
  ],
  [(epoch: number) => epoch * 4e307, ['epoch 4e+307', 'epoch 8e+307', 'epoch 1.2e+308', 'epoch 1.6e+308']],
])('curves are drawn and listed at the steps that were reported (%#)', (stepOf, headers) => {
  const data = reportData(GRID, ({ parameters, seed }) => falling(Number(parameters.width), seed));
  const curves = [...data.curves].map(
    ([id, reports]) => [id, reports.map((report) => ({ ...report, epoch: stepOf(report.epoch) }))] as const,
  );
  const [figure] = figuresOf(sectionOf(documentOf({ ...data, curves: new Map(curves) }, NOW), 'curves'));
  expect(figure?.table?.columns.map(({ header }) => header)).toEqual(['line', ...headers]);
  expect(figure?.panels.map(({ drawing }) => drawing.content).join('')).not.toMatch(/NaN|Infinity/);
});

test('the importance section shows the exact analysis of variance and the means at each value', () => {
  const [shares, levels] = tablesOf(sectionOf(grid(), 'effects'));
  const importance = shares === undefined ? [] : rowsOf(shares);
  expect(importance.map(({ parameter }) => parameter)).toEqual(['width', 'noise', 'unexplained']);
  expect(figuresOf(sectionOf(grid(), 'effects'))[0]?.caption).toMatch(/ 1 smaller interaction is not listed\.$/);
  // By hand, for 12 trials: a width shifts the loss by ±0.1875, and a seed shifts it by -0.01, 0 or 0.01.
  const between = 12 * 0.1875 ** 2;
  const within = 8 * 0.01 ** 2;
  expect(importance[0]?.share).toBe(`${((100 * between) / (between + within)).toFixed(1)}%`);
  expect(Number(importance[0]?.F)).toBeCloseTo(between / (within / 8), 0);
  expect(importance[0]?.p).toBe('< 0.001');
  expect(levels && rowsOf(levels)[0]).toEqual({ parameter: 'width', value: '16', loss: '1.5100 ± 0.0089', n: '6' });
});

test('the joint effect of two parameters is shown as an interaction, with its share and p', () => {
  const data = reportData(GRID, ({ parameters: { width, noise }, seed }) => ({
    curves: { loss: [((width === 16) === (noise === 0) ? 2 : 1) + 0.1 * seed] },
  }));
  const [shares] = tablesOf(sectionOf(documentOf(data, NOW), 'effects'));
  const rows = shares === undefined ? [] : rowsOf(shares);
  // Sums of squares: each of 12 trials is 0.5 from the mean; in each of 4 configs, a seed adds -0.1, 0 or 0.1.
  const share = (12 * 0.5 ** 2) / (12 * 0.5 ** 2 + 8 * 0.1 ** 2);
  expect(rows).toEqual([
    expect.objectContaining({ parameter: 'width', share: '0.0%' }),
    expect.objectContaining({ parameter: 'noise', share: '0.0%' }),
    { parameter: 'width × noise', share: `${(100 * share).toFixed(1)}%`, F: '-', p: '< 0.001' },
    { parameter: 'unexplained', share: `${(100 * (1 - share)).toFixed(1)}%`, F: '-', p: '-' },
  ]);
});

test('a metric named like an inherited property, such as constructor, is reported like any other metric', () => {
  const outcome = ({ parameters, seed }: Parameters<Parameters<typeof reportData>[1]>[0]): Outcome => {
    const { curves } = falling(Number(parameters.width), seed);
    const own = { constructor: [4, 3, 2, 1], toString: [1, 1, 1, 1] };
    return { curves: Number(parameters.width) === 16 ? { ...curves, ...own } : curves };
  };
  const document = documentOf(reportData(GRID, outcome), NOW);
  expect(sectionIds(document)).toContain('ranking');
  expect(JSON.stringify(document)).not.toContain('native code');
  const [ranking = []] = tablesOf(sectionOf(document, 'ranking')).map(rowsOf);
  expect(ranking.map((row) => row.constructor)).toEqual(['-', '-', '1.0000 ± 0', '1.0000 ± 0']);
});

test('a report without results has the design and the commands to reproduce the sweep', () => {
  const hypotheses = 'hypotheses:\n  - { name: H1, claim: "loss[width=16] > loss[width=64]" }\n';
  const document = documentOf(
    reportData(GRID + hypotheses, () => ({ state: 'pending' })),
    NOW,
  );
  expect(sectionIds(document)).toEqual(['question', 'design', 'verdicts', 'ranking', 'reproduce']);
  expect(document.state).toBe('Sweep 1 running: 12 trials, 12 pending.');
  expect(document.highlights.map(({ value }) => value)).toEqual(['0 of 1', '0 of 12']);
  expect(sectionOf(document, 'ranking').blocks[0]).toEqual({ kind: 'text', text: 'No config has a result yet.' });
  expect(factsOf(sectionOf(document, 'verdicts')).because).toMatch(/has a result yet; 12 trials not finished yet$/);
});

test('a report on a single config has no effects and no parallel coordinates', () => {
  const text = 'trainer: noop\nparameters: { x: { value: 1 } }\nseeds: [0, 1]\n';
  const document = documentOf(
    reportData(text, ({ seed }) => ({ curves: { test_loss: [2, 1 + seed] } })),
    NOW,
  );
  expect(sectionIds(document)).toEqual(['design', 'ranking', 'curves', 'reproduce']);
  expect(sectionOf(document, 'design').blocks).toContainEqual({ kind: 'text', text: 'No parameter varies.' });
  expect(figuresOf(sectionOf(document, 'curves'))[0]?.legend).toEqual(['']);
});

test('a report shows no curve of a single epoch, and no standard deviation of a single seed', () => {
  const text = 'trainer: noop\nparameters: { x: { values: [1, 2] } }\n';
  const document = documentOf(
    reportData(text, ({ index }) => ({ curves: { test_loss: [index + 1] } })),
    NOW,
  );
  expect(sectionIds(document)).not.toContain('curves');
  const [table] = tablesOf(sectionOf(document, 'ranking'));
  expect(table && rowsOf(table).map((row) => row.test_loss)).toEqual(['1.0000', '2.0000']);
});

test('failures are grouped by class and error, with their agents and an example', () => {
  const failures: Readonly<Record<number, Outcome>> = {
    0: { failure: { class: 'oom', message: 'no memory left\nallocator: 10 MiB' }, agent: 'gpu2' },
    1: { failure: { class: 'oom', message: 'no memory left\nallocator: 11 MiB' }, agent: 'gpu1' },
    2: { failure: { class: 'crash', message: 'ValueError: bad width' }, agent: 'gpu1' },
    3: { failure: { class: 'oom', message: 'no memory left' }, agent: 'gpu1' },
  };
  const data = reportData(GRID, ({ parameters, seed }) => {
    const failed =
      seed === 0 ? failures[(Number(parameters.width) === 64 ? 2 : 0) + (parameters.noise === 0 ? 0 : 1)] : undefined;
    return failed === undefined ? falling(Number(parameters.width), seed) : { state: 'failed', ...failed };
  });
  const [groups] = tablesOf(sectionOf(documentOf(data, NOW), 'failures'));
  const [first] = data.trials.filter(({ failure }) => failure?.message.startsWith('no memory'));
  const [crashed] = data.trials.filter(({ failure }) => failure?.message.startsWith('ValueError'));
  expect(groups?.caption).toBe('Failures by class and message');
  expect(groups && rowsOf(groups)).toEqual([
    { trials: '3', class: 'oom', message: 'no memory left', agents: 'gpu1, gpu2', example: first?.id.slice(0, 8) },
    { trials: '1', class: 'crash', message: 'ValueError: bad width', agents: 'gpu1', example: crashed?.id.slice(0, 8) },
  ]);
});

test('failures are listed by class with their messages, and trials that succeeded after a retry are counted', () => {
  const data = reportData(GRID, ({ parameters, seed }) => {
    if (parameters.width === 16 && seed === 1)
      return { state: 'failed', attempts: 3, failure: { class: 'oom', message: 'no memory left' } };
    return { ...falling(Number(parameters.width), seed), attempts: seed === 0 ? 2 : 1 };
  });
  const document = documentOf(data, NOW);
  const failures = sectionOf(document, 'failures');
  expect(failures.blocks[0]).toEqual({
    kind: 'text',
    text: '2 of 12 trials failed (2 oom). 4 trials succeeded after more than one attempt.',
  });
  const [, table] = tablesOf(failures);
  expect(table && rowsOf(table)[0]).toMatchObject({
    class: 'oom',
    message: 'no memory left',
    setting: 'width=16 noise=0',
    seed: '1',
    attempts: '3',
  });
  expect(notesOf(sectionOf(document, 'effects'))[0]).toContain('a balanced subset');
  const [ranking] = tablesOf(sectionOf(document, 'ranking'));
  expect(ranking && rowsOf(ranking).at(-1)).toMatchObject({ width: '16', n: '2', failed: '1' });
});

test('stopped trials are listed with their epochs and reasons', () => {
  const data = reportData(GRID, ({ parameters, seed }) => {
    const result = falling(Number(parameters.width), seed);
    return parameters.width === 16 && seed === 1
      ? { ...result, state: 'stopped', stopReason: 'asha: 2 ranks 2 of 2 at rung 1; the top 1 continues' }
      : result;
  });
  const section = sectionOf(documentOf(data, NOW), 'early-stopping');
  const [table] = tablesOf(section);
  const [stopped] = data.trials.filter(({ stopReason }) => stopReason !== '');
  expect(section.blocks[0]).toEqual({
    kind: 'text',
    text: `2 of 12 trials were stopped early: 2 at epoch ${stopped?.epoch}.`,
  });
  expect(table && rowsOf(table)[0]).toEqual({
    trial: stopped?.id.slice(0, 8),
    epoch: `${stopped?.epoch}`,
    reason: 'asha: 2 ranks 2 of 2 at rung 1; the top 1 continues',
    setting: 'width=16 noise=0',
    seed: '1',
  });
});

test('a long list of failures is truncated, and a note explains how to get the rest', () => {
  const text = 'trainer: noop\nparameters: { x: { min: 1, max: 70, step: 1 } }\n';
  const failure = { class: 'crash', message: 'x'.repeat(1000) } as const;
  const failures = sectionOf(
    documentOf(
      reportData(text, () => ({ state: 'failed', failure })),
      NOW,
    ),
    'failures',
  );
  const [, table] = tablesOf(failures);
  expect(table?.rows).toHaveLength(MAX_FAILED_TRIALS);
  expect(table && rowsOf(table)[0]?.message).toHaveLength(300);
  expect(notesOf(failures)[0]).toContain('"trawl trials 1 --state failed"');
});

test('a long list of groups of failures and a long list of agents in a group are truncated', () => {
  const text = 'trainer: noop\nparameters: { x: { min: 1, max: 40, step: 1 } }\n';
  const data = reportData(text, ({ index }) => ({
    state: 'failed',
    failure: { class: 'crash', message: index < 10 ? 'common' : `error ${index}` },
    agent: `agent-${index}`,
  }));
  const failures = sectionOf(documentOf(data, NOW), 'failures');
  const [groups] = tablesOf(failures);
  expect(groups?.rows).toHaveLength(MAX_FAILURE_GROUPS);
  expect(groups && rowsOf(groups)[0]).toMatchObject({
    trials: '10',
    agents: 'agent-0, agent-1, agent-2, agent-3, agent-4 and 5 more',
  });
  expect(notesOf(failures)).toEqual([
    'Only the first 20 of 31 groups of failures are listed. "trawl trials 1 --state failed" lists all failed trials.',
  ]);
});

test('suggested commands name the data folder or the coordinator of the sweep, quoted for the shell', () => {
  const text = 'trainer: noop\nparameters: { x: { min: 1, max: 70, step: 1 } }\n';
  const failure = { class: 'crash', message: 'x' } as const;
  const data = reportData(text, () => ({ state: 'failed', failure }));
  const notes = (location: SweepLocation) => {
    const document = documentOf({ ...data, location }, NOW);
    return ['ranking', 'failures'].flatMap((id) => notesOf(sectionOf(document, id)));
  };
  const inFolder = notes({ dir: "my run's" });
  expect(inFolder[0]).toContain(`"trawl export 1 -f csv --dir 'my run'\\''s'"`);
  expect(inFolder[1]).toContain(`"trawl trials 1 --state failed --dir 'my run'\\''s'"`);
  const [exported, listed] = notes({ server: 'gpu1:7070' });
  expect(exported).toContain('"trawl export 1 -f csv --server gpu1:7070"');
  expect(listed).toContain('"trawl trials 1 --state failed --server gpu1:7070"');
});

test('the design section lists the effects of the keys `exclude` and `when`', () => {
  const rules = 'exclude: [{ width: 64, noise: 0.5 }]\nwhen: [{ if: { width: 64 }, set: { epochs: 7 } }]\n';
  const data = reportData(GRID + rules, ({ parameters, seed }) => falling(Number(parameters.width), seed));
  const design = sectionOf(documentOf(data, NOW), 'design');
  expect(factsOf(design).omitted).toBe('1 point excluded');
  const rows = tablesOf(design).flatMap(rowsOf);
  expect(rows).toContainEqual({ rule: 'exclude', condition: 'width=64, noise=0.5', effect: '1 point dropped' });
  expect(rows).toContainEqual({ rule: 'when', condition: 'width=64', effect: 'sets epochs=7' });
});

test('the state line of a report includes the slot time used so far', () => {
  const data = reportData(GRID, () => ({ state: 'pending' }));
  const slotTime = { ...NO_SLOT_TIME, slotMs: 7_200_000, gpuMs: 3_600_000 };
  const { state } = documentOf({ ...data, sweep: { ...data.sweep, slotTime } }, NOW);
  expect(state).toBe('Sweep 1 running: 12 trials, 12 pending, 1.0 GPU-hours used.');
});
