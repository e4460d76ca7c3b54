import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { midAnswers, midSweep, midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { delta, sampleAgent, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';

const SIZES = [
  { columns: 80, rows: 24 },
  { columns: 160, rows: 50 },
];

const VIEWS: readonly (readonly [string, readonly string[]])[] = [
  ['sweep', []],
  ['sweep unfolded, marked and filtered', ['right', ' ', ' ', '/', 'n', 'o', 't', ' ', 'x', '=', '1', 'enter']],
  ['trial', ['d']],
  ['trial with a marked one', ['j', ' ', 'g', 'd']],
  ['log', ['l']],
  ['explain', ['e']],
  ['compare', [' ', ' ', 'c']],
  ['parameters', ['2']],
  ['agents', ['3']],
  ['events', ['4']],
  ['sweeps', ['5']],
  ['errors', ['6']],
  ['rungs', ['7']],
  ['help', ['?']],
];

/** `vitest -u` rewrites the frames in `frames/`. */
describe.each(SIZES)('the screen of a terminal of $columns x $rows', (size) => {
  test.each(VIEWS)('%s', async (name, keys) => {
    const at = await sampleDashboard(new SampleSource(midAnswers), size);
    await at.press(...keys);
    const frame = at.frame();
    expect(frame).toHaveLength(size.rows);
    for (const line of frame) expect(stringWidth(line)).toBeLessThanOrEqual(size.columns);
    await expect(`${frame.map((line) => line.trimEnd()).join('\n')}\n`).toMatchFileSnapshot(
      `./frames/${size.columns}x${size.rows} ${name}.txt`,
    );
    at.stop();
  });
});

test.each([
  { columns: 20, rows: 8 },
  { columns: 40, rows: 12 },
  { columns: 300, rows: 80 },
])('every view fits a terminal of $columns columns and $rows rows', async (size) => {
  for (const [, keys] of VIEWS) {
    const at = await sampleDashboard(new SampleSource(midAnswers), size);
    await at.press(...keys);
    const frame = at.frame();
    expect(frame).toHaveLength(size.rows);
    for (const line of frame) expect(stringWidth(line)).toBeLessThanOrEqual(size.columns);
    at.stop();
  }
});

test('on a small terminal, a question is cut so that the possible answers stay visible', async () => {
  const at = await sampleDashboard(new SampleSource(midAnswers), { columns: 40, rows: 8 });
  await at.press(':', ...'kill', 'enter');
  expect(at.frame().at(-1)).toBe('kill sweep 7 (autoencoders)? 1 tr… [y/N]');
  at.stop();
});

const HOSTILE = '\u001b[2J\u001b]0;owned\u0007\r\n\u009b1m\u202eback';

test('no view prints an escape sequence of a hostile name', async () => {
  const trials = midTrials.map((trial) => ({
    ...trial,
    agentId: HOSTILE,
    parameters: { ...trial.parameters, [HOSTILE]: { kind: { $case: 'text' as const, text: HOSTILE + trial.index } } },
    metrics: { ...trial.metrics, [`m${HOSTILE}`]: 1 },
    ...(trial.failure && { failure: { ...trial.failure, message: HOSTILE } }),
  }));
  const sweep = sampleSweep({
    name: HOSTILE,
    reason: HOSTILE,
    metric: { name: `m${HOSTILE}` },
    counts: { pending: 8 },
  });
  const names = {
    id: HOSTILE,
    host: HOSTILE,
    backend: HOSTILE,
    version: HOSTILE,
    gpus: [HOSTILE],
    drainReason: HOSTILE,
  };
  const agents = [sampleAgent(names)];
  const answers = {
    ...midAnswers,
    updates: [snapshot(sweep, trials, agents), ...midAnswers.updates.slice(1)],
    log: HOSTILE,
    explain: [HOSTILE],
    importance: { metric: `m${HOSTILE}`, why: HOSTILE, estimated: true, effects: [], interactions: [] },
    trial: () => {
      throw new Error(HOSTILE);
    },
  };
  for (const [, keys] of [...VIEWS, ['kill', ['K']] as const, ['typed', ['/', HOSTILE, 'enter']] as const]) {
    const at = await sampleDashboard(new SampleSource(answers), { columns: 160, rows: 50 });
    await at.press(...keys);
    const text = at.frame().join('\n');
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
    at.stop();
  }
});

const STYLE = new RegExp(`${String.fromCharCode(27)}\\[([\\d;]*)m`, 'g');

test('ASCII mode prints only ASCII, and with NO_COLOR the only styles are bold, dim and reverse', async () => {
  for (const [, keys] of VIEWS) {
    const size = { columns: 160, rows: 50 };
    const at = await sampleDashboard(new SampleSource(midAnswers), size);
    await at.press(...keys);
    const ascii = await sampleDashboard(new SampleSource(midAnswers), size, {
      style: { color: false, ascii: true, plain: true },
    });
    await ascii.press(...keys);
    expect(ascii.frame().join('\n')).toMatch(/^[ -~\n]*$/);
    const mono = await sampleDashboard(new SampleSource(midAnswers), size, { style: { color: false, ascii: false } });
    await mono.press(...keys);
    const styles = new Set([...mono.frame().join('\n').matchAll(STYLE)].map(([, code]) => code));
    for (const style of styles) expect(['0', '1', '2', '7', '22', '27']).toContain(style);
    for (const one of [at, ascii, mono]) one.stop();
  }
});

test('the header shows that the coordinator is unreachable, since when, and why', async () => {
  const source = new SampleSource(midAnswers);
  const at = await sampleDashboard(source, { columns: 160, rows: 50 });
  source.setOutage('no answer from 127.0.0.1:7070');
  at.clock.now += 12_000;
  const since = new Date(at.clock.now - 12_000).toTimeString().slice(0, 8);
  expect(at.frame()[0]).toContain(`COORDINATOR UNREACHABLE for 12.0s, since ${since}: no answer from 127.0.0.1:7070`);
  source.setOutage(undefined);
  expect(at.frame()[0]).not.toContain('UNREACHABLE');
  at.stop();
});

test('the header shows the newest warning and the number of other warnings', async () => {
  const source = new SampleSource(midAnswers);
  const at = await sampleDashboard(source, { columns: 160, rows: 50 });
  expect(at.frame().slice(0, 6).join('\n')).not.toContain('warning');
  const warnings = ['first', 'the newest \u001b[2J'].map((message) => {
    return { kind: 'WARNING_KIND_SILENT' as const, message, count: 1, sinceMs: 1 };
  });
  source.push(delta({ sweep: { ...midSweep, warnings } }));
  await at.settle();
  expect(at.frame()[4]).toContain('warning (and 1 more): the newest ␛[2J  minimize test_loss');
  at.stop();
});

test('a sweep stays visible after it has ended', async () => {
  const source = new SampleSource(midAnswers);
  const at = await sampleDashboard(source, { columns: 80, rows: 24 });
  source.push(delta({ sweep: { ...midSweep, state: 'SWEEP_STATE_FINISHED' } }));
  source.end();
  await at.settle();
  expect(at.happened).toEqual(['ended']);
  expect(at.frame()[0]).toContain('finished');
  at.stop();
});
