/** Tests `LeftoverPrograms` with real processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MARKER } from '../trainers/command/processes.ts';
import { LeftoverPrograms } from './leftover-programs.ts';

const LOCATION = `test-${process.pid}`;
const log = pino({ level: 'silent' });
const started: ChildProcess[] = [];

/** Starts a process with this marker in its environment, in a process session of its own. */
async function marked(marker: string): Promise<ChildProcess> {
  const child = spawn('sleep', ['60'], {
    detached: true,
    stdio: 'ignore',
    env: { [MARKER]: marker, PATH: process.env.PATH },
  });
  started.push(child);
  await once(child, 'spawn');
  return child;
}

const signalOf = async (child: ChildProcess) => child.signalCode ?? (await once(child, 'exit'))[1];

beforeEach(() => {
  delete process.env[MARKER];
});
afterEach(() => {
  delete process.env[MARKER];
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

const onLinux = test.skipIf(process.platform !== 'linux');

onLinux(
  'a new agent ends the programs that an earlier agent in the same folder has started, and no other programs',
  async () => {
    const agent = new LeftoverPrograms(LOCATION, log);
    const own = await marked(`${agent.markerOfWorker()}1`);
    const foreign = await marked(`${LOCATION}0.run.worker.1`);
    const earlier = await marked(`${new LeftoverPrograms(LOCATION, log).markerOfWorker()}1`);
    await agent.endEarlier();
    expect(await signalOf(earlier)).toBe('SIGTERM');
    expect([own.exitCode, own.signalCode, foreign.exitCode, foreign.signalCode]).toEqual([null, null, null, null]);
  },
);

onLinux('when a worker exits, its programs are ended, and the programs of other workers continue', async () => {
  const agent = new LeftoverPrograms(LOCATION, log);
  const [dead, alive] = [agent.markerOfWorker(), agent.markerOfWorker()];
  const left = await marked(`${dead}1`);
  const other = await marked(`${alive}1`);
  await agent.endOf(dead);
  expect(await signalOf(left)).toBe('SIGTERM');
  expect([other.exitCode, other.signalCode]).toEqual([null, null]);
});

onLinux(
  'an agent that a program of an earlier agent has started does not end the programs of the earlier agent',
  async () => {
    const earlier = await marked(`${new LeftoverPrograms(LOCATION, log).markerOfWorker()}1`);
    process.env[MARKER] = `${new LeftoverPrograms(LOCATION, log).markerOfWorker()}2`;
    await new LeftoverPrograms(LOCATION, log).endEarlier();
    expect([earlier.exitCode, earlier.signalCode]).toEqual([null, null]);
  },
);
