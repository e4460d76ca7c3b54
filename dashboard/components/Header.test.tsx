import { render } from 'ink-testing-library';
import { expect, test } from 'vitest';
import { type Agent, type DeepPartial, Sweep, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { midAnswers, midSweep, midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { START_MS, sampleAgent, snapshot } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { Header } from './Header.tsx';

async function header(change: DeepPartial<Sweep>, agents: Agent[] = [sampleAgent()], columns = 120): Promise<string[]> {
  const sweep = Sweep.fromPartial({ ...midSweep, ...change });
  const source = new SampleSource({ ...midAnswers, updates: [snapshot(sweep, [...midTrials], agents)] });
  const at = await sampleDashboard(source, { columns, rows: 24 });
  const app = render(<Header model={at.dashboard.model()} columns={columns} />);
  const frame = app.lastFrame() ?? '';
  app.unmount();
  at.stop();
  return frame.split('\n').map((line) => line.trimEnd());
}

test('the header of a paused sweep shows who paused the sweep, and when', async () => {
  const paused = { state: SweepState.PAUSED, stateBy: 'ann@gpu-1', stateSinceMs: START_MS + 10_000 };
  const [title, , counts] = await header({ ...paused, reason: 'the disk is being replaced' });
  expect(title).toBe('autoencoders  7  paused by ann@gpu-1, 5.0s ago: the disk is being replaced');
  expect(counts).toContain('submitted 15s ago');
});

test('the header of a paused sweep without running trials shows no rate', async () => {
  const [, , , pace] = await header({ state: SweepState.PAUSED });
  expect(pace).toContain('trials/min');
  const [, , , idle] = await header({ state: SweepState.PAUSED, counts: { ...midSweep.counts, running: 0 } });
  expect(idle).not.toMatch(/trials\/min|no trial finished/);
});

test('the header of a killed sweep shows who killed it, when, and how many trials ended, failed and were cancelled', async () => {
  const counts = { succeeded: 5, failed: 1, cancelled: 26 };
  const killed = { state: SweepState.KILLED, stateBy: 'ann', stateSinceMs: START_MS + 9_000 };
  const [title, bar] = await header({ ...killed, counts, endedAtMs: START_MS + 9_000 });
  expect(title).toBe('autoencoders  7  killed by ann, 6.0s ago, 1 of 32 failed, 26 of 32 cancelled');
  expect(bar).toMatch(/ 18% 6\/32$/);
});

test('a finished sweep shows how many of its trials failed', async () => {
  const counts = { succeeded: 27, failed: 36 };
  const [title, bar] = await header({ state: SweepState.FINISHED, counts, endedAtMs: START_MS + 9_000 });
  expect(title).toBe('autoencoders  7  finished, 36 of 63 failed');
  expect(bar).toMatch(/ 100% 63\/63$/);
});

test('if no trial of a running sweep can run, the header shows the reason', async () => {
  const [title] = await header({ blocked: 'no agent has 200 GiB of GPU memory' });
  expect(title).toBe('autoencoders  7  running, but nothing can run: no agent has 200 GiB of GPU memory');
});

test('lost and quarantined agents are shown first in the line of agents, even on a narrow terminal', async () => {
  const quarantine = { sweepIds: [], reason: 'failures' };
  const agents = [
    sampleAgent(),
    sampleAgent({ id: 'gpu-2', state: 'AGENT_STATE_LOST' }),
    sampleAgent({ id: 'gpu-3', state: 'AGENT_STATE_QUARANTINED', quarantine }),
  ];
  const lines = await header({}, agents, 80);
  expect(lines[3]).toBe('2 agents up, 1 lost (gpu-2), 1 quarantined (gpu-3) · 17.0s left');
  expect((await header({}))[3]).toMatch(/^25\.7 trials\/min .* · 1 agent up · /);
});

test('the header shows the best value, the newest warning and the objective on one line', async () => {
  const warnings = [{ kind: 'WARNING_KIND_SILENT' as const, message: 'trial 3 is silent', count: 1, sinceMs: 1 }];
  const lines = await header({ warnings });
  expect(lines[4]).toMatch(
    /^best test_loss 0\.19000, 7\.0s ago [▁-█]+ {2}warning: trial 3 is silent {2}minimize test_loss/,
  );
});

test('on a narrow terminal, the header omits whole parts of a line instead of cutting the line', async () => {
  const message = 'all 3 replicates of config c2d00000 have identical results: the program probably ignores its seed';
  const warnings = [{ kind: 'WARNING_KIND_SILENT' as const, message, count: 1, sinceMs: 1 }];
  const [, , , pace, best] = await header({ warnings }, undefined, 80);
  expect(pace).toBe('25.7 trials/min · 17.0s left (6.6s to 43.5s) · 1 agent up · 1/2 slots busy');
  expect(best).toBe('best test_loss 0.19000, 7.0s ago █▁▁▁▁  1 warning (6: errors)');
  const [, , , , wide] = await header({ warnings }, undefined, 160);
  expect(wide).toContain(`warning: ${message}`);
});

test('a version above 1 is shown beside the id of the sweep, and a long name is shortened so that the state fits', async () => {
  const name = 'width-and-depth-study-of-the-encoder-with-a-very-long-name-that-fits-on-no-line';
  const paused = { state: SweepState.PAUSED, stateBy: 'ann', stateSinceMs: START_MS + 10_000 };
  const [title] = await header({ ...paused, name, version: 3 }, undefined, 80);
  expect(title).toBe('width-and-depth-stud…that-fits-on-no-line  7  version 3  paused by ann, 5.0s ago');
});

test('if the last trial finished long ago, the header states this instead of a rate', async () => {
  const trials = midTrials.map((trial) => ({ ...trial, endedAtMs: trial.endedAtMs === 0 ? 0 : START_MS - 3_600_000 }));
  const source = new SampleSource({ ...midAnswers, updates: [snapshot(midSweep, trials, [sampleAgent()])] });
  const at = await sampleDashboard(source, { columns: 120, rows: 24 });
  expect(at.frame()[3]).toMatch(/^no trial finished in the last 10 min · /);
  at.stop();
});
