import { afterEach, expect, test, vi } from 'vitest';
import { RejectedError } from '../proto/errors.ts';
import { TrialState } from '../proto/gen/trawl/v1/types.ts';
import { midAgents, midAnswers, midSweep, midTrials } from '../test/support/dashboard/mid-sweep.ts';
import { delta, sampleSweep, snapshot } from '../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../test/support/dashboard/sample-dashboard.tsx';
import { type SampleAnswers, SampleSource } from '../test/support/dashboard/sample-source.ts';
import { FRAME_MS, MESSAGE_MS } from './dashboard.ts';
import { cursorOf, viewOf } from './state/ui.ts';

const SIZE = { columns: 160, rows: 30 };
const HEADER = 7;

afterEach(() => {
  vi.useRealTimers();
});

async function start(more: Partial<SampleAnswers> = {}, options: { readonly readonly?: boolean } = {}) {
  const source = new SampleSource({ ...midAnswers, ...more });
  const at = await sampleDashboard(source, SIZE, options);
  const rows = () =>
    at
      .frame()
      .slice(HEADER)
      .flatMap((line) => /(?:c\dd00000|└ \S+)/.exec(line)?.[0] ?? []);
  const cursor = () => cursorOf(at.dashboard.model().ui, 'sweep').id;
  const view = () => viewOf(at.dashboard.model().ui);
  const status = () => at.frame().at(-2)?.trimEnd();
  return { ...at, source, rows, cursor, view, status };
}

function overtaking() {
  const trial = midTrials.find(({ state }) => state === TrialState.RUNNING);
  if (trial === undefined) throw new Error('the sample has no running trial');
  return delta({ trials: [{ ...trial, epoch: 3, metrics: { ...trial.metrics, test_loss: 0.01 } }] });
}

test('a running config moves up as its reports arrive, and the cursor stays on the same config', async () => {
  const at = await start();
  expect(at.rows()).toEqual(['c2d00000', 'c0d00000', 'c1d00000', 'c3d00000']);
  await at.press('j');
  expect(at.cursor()).toBe('c0d0000000000000');
  at.source.push(overtaking());
  await at.settle();
  expect(at.rows()).toEqual(['c3d00000', 'c2d00000', 'c0d00000', 'c1d00000']);
  await at.press('j');
  expect(at.cursor()).toBe('c1d0000000000000');
  at.stop();
});

test('a key applies to the rows that are on the screen, even if updates have arrived; the next frame shows the updates', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const at = await start();
  at.source.push(overtaking());
  await new Promise((resolve) => setImmediate(resolve));
  vi.advanceTimersByTime(FRAME_MS);
  at.dashboard.press({ input: 'j', key: {} });
  expect(at.cursor()).toBe('c0d0000000000000');
  expect(at.rows()).toEqual(['c3d00000', 'c2d00000', 'c0d00000', 'c1d00000']);
  at.stop();
});

test('a frozen display does not change, and shows all missed updates when the display is resumed', async () => {
  const at = await start();
  const before = at.rows();
  await at.press('u');
  at.source.push(overtaking());
  await at.settle();
  expect(at.rows()).toEqual(before);
  expect(at.frame()[0]).toContain('FROZEN');
  await at.press('u');
  expect(at.rows()[0]).toBe('c3d00000');
  expect(at.frame()[0]).not.toContain('FROZEN');
  at.stop();
});

test('the leaderboard sorts by any column in either direction, and stays sorted as reports arrive', async () => {
  const at = await start();
  await at.press(':', ...'sort psnr', 'enter');
  expect(at.rows()[0]).toBe('c1d00000');
  await at.press('r');
  expect(at.rows()).toEqual(['c3d00000', 'c0d00000', 'c2d00000', 'c1d00000']);
  await at.press(':', ...'sort latent_dim', 'enter');
  expect(at.rows()).toEqual(['c0d00000', 'c1d00000', 'c2d00000', 'c3d00000']);
  await at.press(':', ...'sort nothing', 'enter');
  expect(at.status()).toContain('no column "nothing"; columns: #, psnr rank, test_loss');
  await at.press(':', ...'sort', 'enter');
  at.source.push(overtaking());
  await at.settle();
  expect(at.rows()[0]).toBe('c3d00000');
  at.stop();
});

test('s sorts by the next column, and S by the previous column', async () => {
  const at = await start();
  const sorted = () => /\S+ [▼▲]/.exec(at.frame()[HEADER - 1] ?? '')?.[0];
  expect(sorted()).toBe('test_loss ▲');
  await at.press('s');
  expect(sorted()).toBe('psnr ▼');
  await at.press('S', 'S');
  expect(sorted()).toBe('rank ▼');
  await at.press('r');
  expect(sorted()).toBe('rank ▲');
  at.stop();
});

test('a filter can be applied, inverted and cleared, and an invalid filter is rejected with a reason', async () => {
  const at = await start();
  await at.press('/', ...'noise_std=0', 'enter');
  expect(at.rows()).toEqual(['c2d00000', 'c0d00000']);
  at.source.push(overtaking());
  await at.settle();
  expect(at.rows()).toHaveLength(2);
  await at.press('escape');
  expect(at.rows()).toHaveLength(4);
  expect(at.happened).toEqual([]);
  await at.press('/', ...'!noise_std=0', 'enter');
  expect(at.rows()).toEqual(['c3d00000', 'c1d00000']);
  await at.press('q', '/', ...'psnr>', 'enter');
  expect(at.status()).toContain('/psnr>█  filter: expected a value after ">" at the end');
  await at.press('1', '9', 'enter');
  expect(at.rows()).toEqual(['c1d00000']);
  await at.press('q', '/', ...'psmr>1', 'enter');
  expect(at.status()).toBe('filter: no trial has a field "psmr"');
  at.stop();
});

test('replicates can be shown below their config and hidden again', async () => {
  const at = await start();
  await at.press('enter');
  expect(at.rows()).toEqual(['c2d00000', '└ 4e1f2a3b', '└ 5e1f2a3b', 'c0d00000', 'c1d00000', 'c3d00000']);
  await at.press('j', 'enter');
  expect(at.view()).toEqual({ kind: 'trial', trialId: '4e1f2a3b4c5d6e7f' });
  await at.press('q', 'left');
  expect(at.rows()).toHaveLength(4);
  expect(at.cursor()).toBe('c2d0000000000000');
  at.stop();
});

test('the events view includes events from before the dashboard started, and shows each event once', async () => {
  const at = await start();
  await at.press('4');
  const kinds = at
    .frame()
    .slice(HEADER)
    .flatMap((line) => /\b(granted|ended|reported)\b/.exec(line)?.[0] ?? []);
  expect(kinds.slice(0, 4)).toEqual(['ended', 'granted', 'ended', 'granted']);
  expect(kinds).not.toContain('reported');
  at.stop();
});

test('c compares the marked rows, or shows a message if no row is marked', async () => {
  const at = await start();
  await at.press('c');
  expect(at.status()).toContain('nothing is marked');
  await at.press(' ', ' ', 'c');
  expect(at.view()).toEqual({ kind: 'compare' });
  expect(at.frame().join('\n')).toMatch(/latent_dim +50 +15/);
  await at.press('U');
  expect(at.frame().join('\n')).toContain('nothing is marked');
  at.stop();
});

test('p pauses a running sweep and resumes a paused sweep; the status line reports the result', async () => {
  const at = await start({ act: () => ({ ...midSweep, state: 'SWEEP_STATE_PAUSED' }) });
  await at.press('p');
  expect(at.source.acts).toEqual([['7', 'pause']]);
  expect(at.status()).toBe('pause: sweep 7 (autoencoders) is paused; 1 running, 1 pending');
  at.source.push(delta({ sweep: { ...midSweep, state: 'SWEEP_STATE_PAUSED' } }));
  await at.settle();
  await at.press('p');
  expect(at.source.acts.at(-1)).toEqual(['7', 'resume']);
  at.stop();
});

test(':kill asks for confirmation, and any key except y cancels the kill', async () => {
  const at = await start({ act: () => ({ ...midSweep, state: 'SWEEP_STATE_KILLED' }) });
  await at.press(':', ...'kill', 'enter');
  expect(at.status()).toBe('kill sweep 7 (autoencoders)? 1 trial is running and will be stopped now [y/N]');
  await at.press('n');
  expect(at.source.acts).toEqual([]);
  expect(at.status()).toBe('kill cancelled');
  await at.press(':', ...'kill', 'enter', 'y');
  expect(at.source.acts).toEqual([['7', 'kill']]);
  expect(at.status()).toContain('is killed');
  at.stop();
});

test('K kills the unfinished trials of the row under the cursor after a confirmation', async () => {
  const at = await start();
  await at.press('K');
  expect(at.status()).toBe('cannot kill 2 trials of config c2d00000: they have ended');
  await at.press('G', 'K');
  expect(at.status()).toBe('kill 2 unfinished trials of config c3d00000? 1 is running and stops now [y/N]');
  await at.press('n');
  expect(at.status()).toBe('kill trials cancelled');
  expect(at.source.killed).toEqual([]);
  await at.press('K', 'y');
  expect(at.source.killed).toEqual([
    ['7', '6e1f2a3b4c5d6e7f'],
    ['7', '7e1f2a3b4c5d6e7f'],
  ]);
  expect(at.source.acts).toEqual([]);
  expect(at.status()).toBe('kill trials: 2 trials are cancelled');
  at.stop();
});

test('in the list of sweeps, p, x and K apply to the sweep under the cursor', async () => {
  const sweeps = [midSweep, sampleSweep({ id: '6', name: 'earlier', createdAtMs: 1 })];
  const at = await start({
    sweeps,
    act: () => ({ ...midSweep, id: '6', name: 'earlier', state: 'SWEEP_STATE_PAUSED' }),
  });
  await at.press('5');
  await at.press('j', 'p');
  expect(at.source.acts).toEqual([['6', 'pause']]);
  await at.press('K');
  expect(at.status()).toContain('kill sweep 6 (earlier)?');
  await at.press('y');
  expect(at.source.acts.at(-1)).toEqual(['6', 'kill']);
  await at.press('x');
  expect(at.status()).toContain('stop sweep 6 (earlier)?');
  at.stop();
});

test('n and N move to a failed row; y copies an id, and the status line shows which object has this id', async () => {
  const at = await start();
  await at.press('n');
  const failed = at.cursor();
  expect(at.frame().join('\n')).toMatch(/1 of 2 failed|failed/);
  await at.press('N');
  expect(at.cursor()).toBe(failed);
  await at.press('g', 'y');
  expect(at.happened).toEqual(['copied 4e1f2a3b4c5d6e7f']);
  expect(at.status()).toBe('copied 4e1f2a3b4c5d6e7f (best trial of config c2d00000)');
  await at.press('right', 'j', 'y');
  expect(at.status()).toMatch(/^copied \w+ \(trial\)$/);
  await at.press('3', 'y');
  expect(at.status()).toMatch(/^copied \S+ \(agent\)$/);
  await at.press('2', 'y');
  expect(at.status()).toBe('copied 7 (sweep)');
  at.stop();
});

test('in the trial view, → opens the trial of the next row, and ← opens the trial of the previous row', async () => {
  const at = await start();
  await at.press('d', 'right');
  expect(at.view()).toEqual({ kind: 'trial', trialId: '0e1f2a3b4c5d6e7f' });
  await at.press('left');
  expect(at.view()).toEqual({ kind: 'trial', trialId: '4e1f2a3b4c5d6e7f' });
  await at.press('left');
  expect(at.status()).toBe('no previous trial');
  at.stop();
});

test('an earlier filter is recalled with the arrow keys, and a name in a filter is completed with Tab', async () => {
  const at = await start();
  await at.press('/', ...'noise', 'tab', 'backspace', ...'=0', 'enter');
  expect(at.rows()).toHaveLength(2);
  await at.press('q', '/', 'up', 'enter');
  expect(at.frame()[HEADER - 2]).toMatch(/1 of 2 \(4 in all\), filter: noise_std=0$/);
  at.stop();
});

test('the mouse wheel moves the cursor; a click moves the cursor to the clicked row, and a second click opens the row', async () => {
  const at = await start();
  at.dashboard.point({ kind: 'wheel', by: 1 });
  expect(at.cursor()).toBe('c3d0000000000000');
  at.dashboard.point({ kind: 'press', row: HEADER + 1 });
  expect(at.cursor()).toBe('c0d0000000000000');
  expect(at.rows()).toHaveLength(4);
  at.dashboard.point({ kind: 'press', row: HEADER + 1 });
  expect(at.rows().length).toBeGreaterThan(4);
  at.stop();
});

test('D drains the agent under the cursor after a confirmation, or ends the drain of a drained agent without a confirmation', async () => {
  const at = await start();
  await at.press('3', 'D');
  expect(at.status()).toContain('drain agent-1?');
  await at.press('y');
  expect(at.source.drains).toEqual([['agent-1', true]]);
  expect(at.status()).toBe('drain: agent agent-1 is draining; 1 slot busy');
  at.source.push(delta({ agents: midAgents.map((agent) => ({ ...agent, state: 'AGENT_STATE_DRAINED' })) }));
  await at.settle();
  await at.press('D');
  expect(at.source.drains.at(-1)).toEqual(['agent-1', false]);
  at.stop();
});

test('the status line shows why an action was rejected', async () => {
  const at = await start({
    act: () => {
      throw new RejectedError('sweep 7 has ended (finished)');
    },
  });
  await at.press('p');
  expect(at.status()).toBe('pause: sweep 7 has ended (finished)');
  at.stop();
});

test('an ended sweep cannot be killed', async () => {
  const over = sampleSweep({ state: 'SWEEP_STATE_FINISHED' });
  const at = await start({ updates: [snapshot(over, [...midTrials])] });
  await at.press(':', ...'kill', 'enter');
  expect(at.status()).toBe('cannot kill sweep 7: it has ended');
  expect(at.source.acts).toEqual([]);
  at.stop();
});

test('in read-only mode, no action can be started by a key or a command, and the help lists no actions', async () => {
  const at = await start({}, { readonly: true });
  await at.press('p', 'x', 'K', 'y', ':', ...'kill', 'enter');
  expect(at.status()).toContain('read-only');
  await at.press('y', '?');
  expect(at.frame().join('\n')).not.toMatch(/pause|kill/);
  expect(at.source.acts).toEqual([]);
  at.stop();
});

test('Enter on a sweep opens the sweep, and Enter on an agent shows the trials of the agent', async () => {
  const at = await start();
  await at.press('5');
  await at.press('j', 'enter');
  expect(at.source.watched).toEqual(['7', '6']);
  await at.press('3', 'enter');
  expect(at.view()).toEqual({ kind: 'sweep' });
  expect(at.status()).toBe('filter: agent="agent-1"');
  at.stop();
});

test('q closes one view at a time, and quits the dashboard on the leaderboard; Ctrl-C interrupts it even in a prompt', async () => {
  const at = await start();
  await at.press('j', 'd', 'l', '?');
  for (const kind of ['log', 'trial', 'sweep']) {
    await at.press('q');
    expect(at.view().kind).toBe(kind);
  }
  expect(at.happened).toEqual([]);
  await at.press('q');
  expect(at.happened).toEqual(['left']);
  await at.press('/', 'ctrl-c');
  expect(at.happened).toEqual(['left', 'interrupted']);
  at.stop();
});

test('keys that arrive together, because of a slow connection or a paste, are handled one by one', async () => {
  const at = await start();
  await at.press('jjj');
  expect(at.cursor()).toBe('c3d0000000000000');
  await at.press('/noise_std=1\u007f0\r');
  expect(at.rows()).toHaveLength(2);
  at.stop();
});

test('a key that was typed before a question appeared does not answer the question', async () => {
  const at = await start({ act: () => midSweep });
  await at.press('GKy');
  expect(at.source.acts).toEqual([]);
  expect(at.status()).toContain('[y/N]');
  at.stop();
});

test('[ and ] go to the previous and to the next epoch that has reconstructions', async () => {
  const at = await start();
  await at.press('j', 'd');
  const shown = () => /after epoch (\d)/.exec(at.frame().join('\n'))?.[1];
  expect(shown()).toBe('4');
  await at.press('[');
  expect(shown()).toBe('1');
  await at.press('[');
  expect(shown()).toBe('1');
  await at.press(']');
  expect(shown()).toBe('4');
  at.stop();
});

test('keys that are typed before the rows arrive take effect after the rows arrive, but keys that change the sweep are ignored', async () => {
  const at = await start({ updates: [] });
  await at.press('j', ' ', 'j', ' ', 'p', 'x', 'y', 'c');
  expect(at.view()).toEqual({ kind: 'sweep' });
  expect(at.source.acts).toEqual([]);
  await at.press('q');
  expect(at.happened).toEqual(['left']);
  for (const update of midAnswers.updates) at.source.push(update);
  await at.settle();
  expect(at.view()).toEqual({ kind: 'compare' });
  expect([...at.dashboard.model().ui.marks]).toEqual(['c0d0000000000000', 'c3d0000000000000']);
  expect(at.source.acts).toEqual([]);
  expect(at.dashboard.model().ui.prompt).toBeUndefined();
  at.stop();
});

test('before the rows arrive, views can already be opened, and a filter is applied when the rows arrive', async () => {
  const at = await start({ updates: [] });
  await at.press('3');
  expect(at.view()).toEqual({ kind: 'agents' });
  await at.press('1', '/', ...'noise_std=0', 'enter', 'j');
  expect(at.frame().join('\n')).toContain('/noise_std=0█');
  for (const update of midAnswers.updates) at.source.push(update);
  await at.settle();
  expect(at.rows()).toHaveLength(2);
  expect(at.cursor()).toBe('c0d0000000000000');
  at.stop();
});

test('a message disappears after some seconds or with the next key; a failure message stays until the next key', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const at = await start();
  await at.press('y');
  vi.advanceTimersByTime(MESSAGE_MS - 1);
  await at.settle();
  expect(at.status()).toContain('copied');
  vi.advanceTimersByTime(1);
  await at.settle();
  expect(at.status()).not.toContain('copied');
  await at.press('y', '3');
  expect(at.status()).not.toContain('copied');
  await at.press('1', 'c');
  vi.advanceTimersByTime(2 * MESSAGE_MS);
  await at.settle();
  expect(at.status()).toContain('nothing is marked');
  at.stop();
});
