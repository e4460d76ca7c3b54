import { expect, test } from 'vitest';
import { midAnswers, midSweep, midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { sampleAgent, snapshot } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';

const SIZE = { columns: 160, rows: 50 };
const open = async (...keys: string[]) => {
  const at = await sampleDashboard(new SampleSource(midAnswers), SIZE);
  await at.press(...keys);
  return at;
};

test('the row of an agent shows the CPU, memory and disk of its machine, and the row of a trial shows its slot and GPU', async () => {
  const at = await open('3');
  const text = at.frame().join('\n');
  expect(text).toMatch(/agent-1 +connected .* 42% +38% +120 GiB/);
  expect(text).toMatch(/agent-1 {2}CPU .* 42% {2}RAM .* 38% 24 of 64 GiB {2}disk 120 of 500 GiB free/);
  expect(text).toMatch(/trial +slot +GPU .*\n6e1f2a3b +0 +0 /);
  expect(text).toMatch(
    /latest ended trials of this sweep on this agent\ntrial +state +test_loss +time +ended +parameters\n5e1f2a3b +failed \(oom\) /,
  );
  at.stop();
});

test('each card has the correct GPU name, and each trial the correct card, even if some cards are hidden or divided by MIG', async () => {
  const gpus = ['NVIDIA H100', 'NVIDIA A100 MIG 1g.5gb', 'NVIDIA A100 MIG 1g.5gb'];
  const gpuFigures = [
    { index: 2, utilization: 0.25, gpus: [1, 2] },
    { index: 5, utilization: 0.5, gpus: [0] },
  ];
  const agent = sampleAgent({ busy: 1, slots: 3, gpus, gpuFigures });
  const updates = [snapshot(midSweep, [...midTrials], [agent])];
  const at = await sampleDashboard(new SampleSource({ ...midAnswers, updates }), SIZE);
  await at.press('3');
  const text = at.frame().join('\n');
  expect(text).toMatch(/2 +NVIDIA A100 MIG 1g\.5gb ×2 +\S+ +25%/);
  expect(text).toMatch(/5 +NVIDIA H100 +\S+ +50%/);
  expect(text).toMatch(/trial +slot +GPU .*\n6e1f2a3b +0 +5 /);
  at.stop();
});

test('s sorts the agents, r reverses the order, and / filters the agents; q clears the filter', async () => {
  const at = await open('3', 's', 'r');
  const names = () =>
    at
      .frame()
      .flatMap((line) => /^(agent-\d) {1,2}\s/.exec(line)?.[1] ?? [])
      .slice(0, 2);
  expect(at.frame().join('\n')).toContain('agent ▼');
  expect(names()).toEqual(['agent-2', 'agent-1']);
  await at.press('/', ...'state=lost', 'enter');
  expect(at.frame().join('\n')).toContain('1 of 1 (2 in all), filter: state=lost');
  expect(names()).toEqual(['agent-2']);
  await at.press('/', ...' and nothing=1', 'enter');
  expect(at.frame().join('\n')).toContain('filter: no field "nothing"; fields: agent, state,');
  await at.press('q');
  expect(names()).toEqual(['agent-2', 'agent-1']);
  at.stop();
});

test('f selects the next kind of events, and the kinds include events of agents', async () => {
  const at = await open('4', 'f');
  expect(at.frame().join('\n')).toContain('filter: kind="ended"');
  await at.press('f', 'f');
  const text = at.frame().join('\n');
  expect(text).toContain('filter: kind="lost"');
  expect(text).toContain('agent agent-2 on other, no heartbeat');
  expect(at.frame().slice(6, -2).join('\n')).not.toContain('ended');
  await at.press('f');
  expect(at.frame().join('\n')).not.toContain('filter:');
  at.stop();
});

test('the details of a quarantined agent have the reason and the time of the next probe', async () => {
  const quarantine = {
    sweepIds: ['7'],
    reason: '3 trials failed early here and succeeded elsewhere: exit code 1',
    probeInMs: 30_000,
  };
  const agents = [sampleAgent({ id: 'gpu-9', state: 'AGENT_STATE_QUARANTINED', quarantine })];
  const updates = [snapshot(midSweep, [...midTrials], agents)];
  const at = await sampleDashboard(new SampleSource({ ...midAnswers, updates }), { columns: 80, rows: 24 });
  await at.press('3');
  expect(at.frame().join(' ').replaceAll(/ +/g, ' ')).toContain(
    'quarantined for sweep 7: 3 trials failed early here and succeeded elsewhere: exit code 1; next probe in 30.0s',
  );
  at.stop();
});
