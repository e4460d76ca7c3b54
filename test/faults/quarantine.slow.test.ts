/** Faulty machines, bad programs and bad parameters, with real processes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

interface ShownAgent {
  readonly agent: string;
  readonly state: string;
  readonly quarantine: { readonly sweeps: readonly string[] | 'all'; readonly reason: string } | null;
}

const TIMEOUT = { timeout: 300_000 };

/** The program reports after a short run. If its argument is `bad`, the program fails at once. */
const PROGRAM = `if [ "$1" = bad ]; then echo 'ValueError: bad parameter' >&2; exit 3; fi
sleep 0.2
echo '{"epoch": 1, "loss": 0.5}'
`;
const BROKEN = `echo "ModuleNotFoundError: No module named 'torch'" >&2; exit 1`;

/**
 * Starts an agent whose working directory contains the given interpreter. The directory has no interpreter if
 * `interpreter` is undefined.
 */
async function startAgent(cluster: Cluster, name: string, interpreter: string | undefined): Promise<void> {
  const dir = testFolder();
  if (interpreter !== undefined) writeFileSync(join(dir, 'interpreter'), `#!/bin/sh\n${interpreter}`, { mode: 0o755 });
  await cluster.startAgent(name, 2, undefined, 1, ['--workdir', dir]);
}

async function startCluster(agents: Readonly<Record<string, string | undefined>>): Promise<Cluster> {
  const cluster = await Cluster.start(testFolder());
  for (const [name, interpreter] of Object.entries(agents)) await startAgent(cluster, name, interpreter);
  await until('every agent is connected', async () => {
    const shown = await cluster.agents();
    return shown.filter(({ state }) => state === 'connected').length === Object.keys(agents).length;
  });
  return cluster;
}

async function submit(cluster: Cluster, x: string, more = ''): Promise<string> {
  const text = [
    `command: [./interpreter, "\${param:x}"]\nmetric: {name: loss, goal: minimize}\n`,
    `retry: {crash: 0, timeout: 0, oom: 0}\n${more}parameters: {x: ${x}}\n`,
  ].join('');
  return (await cluster.json<{ sweep: string }>('submit', sweepFile(cluster.folder, text))).sweep;
}

const untilState = (cluster: Cluster, sweep: string, state: string) =>
  until(`sweep ${sweep} is ${state}`, async () => {
    const found = await cluster.sweep(sweep);
    return found?.state === `SWEEP_STATE_${state.toUpperCase()}` && found;
  });

const badAgent = async (cluster: Cluster) => (await cluster.agents()).find(({ agent }) => agent === 'bad');

async function eventsOf(cluster: Cluster, sweep: string, kind: string): Promise<string[]> {
  const { stdout } = await cluster.run('events', sweep, '-o', 'json');
  const events = stdout.split('\n').filter(Boolean) as string[];
  return events.map((line) => JSON.parse(line)).flatMap((event) => (event.kind === kind ? [event.detail] : []));
}

test.each<[trials: number, machine: string, interpreter: string | undefined, more: string]>([
  [30, 'on which the interpreter is missing', undefined, ''],
  [30, 'on which the program crashes at once', 'exit 1', ''],
  [90, 'on which the program hangs', 'exec sleep 1000', 'timeout: 5s\n'],
])(
  '%i trials succeed on a good machine, and a second machine %s is quarantined',
  TIMEOUT,
  async (trials, _, interpreter, more) => {
    const cluster = await startCluster({ bad: interpreter, good: PROGRAM });
    const sweep = await submit(cluster, `{min: 1, max: ${trials}, step: 1}`, more);
    const quarantined = await until('an agent is quarantined', async () => {
      const agent = await badAgent(cluster);
      return agent?.state === 'quarantined' && agent;
    });
    expect(quarantined.quarantine).toMatchObject({
      sweeps: [sweep],
      reason: expect.stringMatching(/succeeded elsewhere$/),
    });
    const metrics = await cluster.page('/metrics');
    expect(metrics).toContain('trawl_agents{state="quarantined"} 1');

    // A quarantine survives a restart of the coordinator.
    await cluster.coordinator.killNow();
    await cluster.startCoordinator();
    const { counts } = await untilState(cluster, sweep, 'finished');
    expect(counts).toMatchObject({ succeeded: trials, failed: 0 });
    expect(await eventsOf(cluster, sweep, 'quarantine')).toEqual([
      expect.stringMatching(/^agent bad is quarantined for sweep \d+: \d+ trials failed early here and succeeded/),
    ]);
  },
);

test('a release ends the quarantine of an agent, and is recorded as an event', TIMEOUT, async () => {
  const cluster = await startCluster({ bad: 'exit 1', good: PROGRAM });
  const sweep = await submit(cluster, '{min: 1, max: 200, step: 1}');
  await until('an agent is quarantined', async () => (await badAgent(cluster))?.state === 'quarantined');
  expect(await cluster.json<ShownAgent>('release', 'bad')).toMatchObject({ state: 'connected', quarantine: null });
  expect(await eventsOf(cluster, sweep, 'quarantine')).toContain('agent bad was released');
  expect(await cluster.run('release', 'unknown')).toMatchObject({ code: 2 });
  await cluster.run('kill', sweep, '-y');
});

test(
  'a trial with bad parameters fails on every machine, but other trials succeed and no machine is quarantined',
  TIMEOUT,
  async () => {
    const cluster = await startCluster({ bad: PROGRAM, good: PROGRAM });
    const values = Array.from({ length: 10 }, (_, at) => `${at}`);
    const sweep = await submit(cluster, `{values: [${['bad', ...values].map((value) => `"${value}"`).join(', ')}]}`);
    const { counts } = await untilState(cluster, sweep, 'finished');
    expect(counts).toMatchObject({ succeeded: 10, failed: 1 });
    expect(await eventsOf(cluster, sweep, 'quarantine')).toEqual([]);
    expect((await badAgent(cluster))?.state).toBe('connected');
  },
);

test(
  'with one agent, a bad program pauses its sweep after 10 failures, and the agent is not quarantined',
  TIMEOUT,
  async () => {
    const cluster = await startCluster({ bad: BROKEN });
    const sweep = await submit(cluster, '{min: 1, max: 30, step: 1}');
    const { reason, counts } = await untilState(cluster, sweep, 'paused');
    expect(reason).toMatch(/^10 failures in a row on 1 agent: 10 × "crash: .*No module named 'torch'/);
    expect(counts?.failed).toBeLessThanOrEqual(12);
    expect((await badAgent(cluster))?.state).toBe('connected');
  },
);

test('with two agents, a bad program pauses its sweep, and no agent is quarantined', TIMEOUT, async () => {
  const cluster = await startCluster({ bad: BROKEN, good: BROKEN });
  const sweep = await submit(cluster, '{min: 1, max: 60, step: 1}');
  const { reason } = await untilState(cluster, sweep, 'paused');
  expect(reason).toMatch(/^1\d failures in a row on 2 agents: 1\d × "crash: .*No module named 'torch'/);
  expect(await eventsOf(cluster, sweep, 'quarantine')).toEqual([]);
});
