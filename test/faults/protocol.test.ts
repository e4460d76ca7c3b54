import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EXIT } from '../../proto/errors.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { exactlyOnce, type NoopSweep, noopSweepText } from './noop-sweep.ts';

const SWEEP: NoopSweep = { trials: 4, epochs: 2, epochMs: 50 };

/** Returns Node options that make an agent use the given version of the protocol. */
function speaking(protocol: number): string {
  const hook = `
    export async function load(url, context, next) {
      const loaded = await next(url, context);
      if (loaded.format !== 'module' || url.includes('/node_modules/')) return loaded;
      return { ...loaded, source: String(loaded.source).replace(/\\b(const|var) PROTOCOL = \\d+/, '$1 PROTOCOL = ${protocol}') };
    }`;
  const asUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
  return `--import=${asUrl(`import { register } from 'node:module'; register(${JSON.stringify(asUrl(hook))});`)}`;
}

/** Starts an agent that uses the given version of the protocol. Returns the log once the agent has been rejected. */
async function startWithProtocol(cluster: Cluster, name: string, protocol: number): Promise<string> {
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = speaking(protocol);
  try {
    await cluster.startAgent(name, 1);
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
  expect(await cluster.agent(name).exited).toBe(EXIT.rejected);
  return readFileSync(cluster.logOf(name), 'utf8');
}

test('agents with an older or newer protocol are rejected with an error that names the protocol, and other agents continue', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  for (const [name, protocol, advice] of [
    ['older', PROTOCOL - 1, 'upgrade the agent'],
    ['newer', PROTOCOL + 1, 'upgrade the coordinator'],
  ] as const) {
    expect(await startWithProtocol(cluster, name, protocol)).toMatch(
      new RegExp(
        `rejected this agent: agent ${name} .* uses protocol ${protocol}, but this coordinator uses ${PROTOCOL}: ${advice}`,
      ),
    );
  }
  await cluster.startAgent('agent', 1);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(SWEEP)));
  const { attempts } = await exactlyOnce(cluster, sweep, SWEEP);
  expect(attempts.map(({ agent, number }) => [agent, number])).toEqual(Array(SWEEP.trials).fill(['agent', 1]));
});
