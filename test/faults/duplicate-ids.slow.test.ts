/**
 * Tests a second agent that uses the id of a running agent, with a new folder or with a copy of the first agent's
 * folder. Also tests a killed agent that is restarted with and without its folder.
 */
import { cpSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { killNow } from '../support/processes.ts';
import { startTrawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 300_000;
/** The lease in seconds. It is longer than the time that an agent needs to start on a busy machine. */
const LEASE_S = 25;
const ID = 'gpu1.lab';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(testFolder(), { lease: `${LEASE_S}s` });
});

interface AgentJson {
  readonly agent: string;
  readonly state: string;
  readonly connected_at: string;
}

const agents = () => cluster.json<AgentJson[]>('agents');
const states = async () => (await agents()).map(({ state }) => state);

/** Starts an agent with the id ID and the given folder. */
function startAgain(folder: string) {
  return startTrawl(
    ...['agent', '--nats', cluster.natsUrl, '--server', cluster.address, '--slots', '1'],
    ...['--dir', folder, '--id', ID],
  );
}

test('a second agent with the same id exits with code 4, and the trials of the first agent continue', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = testFolder();
  await cluster.startAgent(ID, 1);
  await until('the agent is connected', async () => (await states())[0] === 'connected');
  const text = 'trainer: noop\nparameters: {x: {values: [1, 2]}, duration_ms: {value: 8000}}\n';
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text));
  await until('a trial runs', async () => (await cluster.sweep(sweep))?.counts?.running === 1);
  const copy = join(folder, 'copy');
  cpSync(join(cluster.folder, ID), copy, { recursive: true });
  for (const dir of [join(folder, 'new'), copy]) {
    const { code, stderr } = await startAgain(dir).ended;
    expect(code, stderr).toBe(4);
    expect(stderr).toContain(`agent id ${ID} is in use by the agent on host ${hostname()}`);
    expect(stderr).not.toMatch(/^\s+at /m);
  }
  const { code, stdout } = await cluster.run('wait', sweep, '-o', 'json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ counts: { succeeded: 2 } });
  const trials = await cluster.json<{ attempts: number }[]>('trials', sweep);
  expect(trials.map(({ attempts }) => attempts)).toEqual([1, 1]);
});

test('after kill -9, an agent that restarts with its folder reconnects immediately; an agent that restarts without its folder waits for at most one lease', {
  timeout: LIMIT_MS,
}, async () => {
  await cluster.startAgent(ID, 1);
  await until('the agent is connected', async () => (await states())[0] === 'connected');
  const connectedAt = async () => (await agents())[0]?.connected_at;
  const first = await connectedAt();
  const killed = cluster.agent(ID);
  killNow(killed.pid);
  await killed.exited;
  await cluster.startAgent(ID, 1);
  await until('the agent is connected again', async () => (await connectedAt()) !== first);
  expect(await states()).toEqual(['connected']);

  const again = cluster.agent(ID);
  killNow(again.pid);
  await again.exited;
  rmSync(join(cluster.folder, ID), { recursive: true });
  const killedAt = Date.now();
  const second = await connectedAt();
  const waiting = startAgain(join(cluster.folder, ID));
  await until('the agent waits for its id', () => waiting.stderr().includes('is silent: the id becomes free in'));
  await until('the agent is connected again', async () => (await connectedAt()) !== second);
  // The lease of the killed agent began with its last message. While the id is in use, the new agent waits for at most
  // 5 s before it tries again to connect.
  expect(Date.now() - killedAt).toBeLessThan((LEASE_S + 25) * 1000);
  expect(await states()).toEqual(['connected']);
  waiting.kill('SIGTERM');
  expect((await waiting.ended).code).toBe(0);
});
