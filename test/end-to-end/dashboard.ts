/** Starts a cluster with a sweep, and the dashboard of this cluster in a terminal. */
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TestTerminal } from '../support/terminal.ts';

export const DASHBOARD_LIMIT_MS = 180_000;

export const sweepOf = (name: string, epochs: number) => `
name: ${JSON.stringify(name)}
trainer: noop
parameters:
  x: {values: [1, 2, 3]}
  y: {values: [1, 2, 3, 4]}
  epochs: {value: ${epochs}}
  duration_ms: {value: 300}
`;

/** Starts a cluster with one agent, and submits the sweep. */
export async function clusterWith(text: string, slots = 2): Promise<{ cluster: Cluster; sweep: string }> {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text));
  await cluster.startAgent('agent-a', slots);
  return { cluster, sweep };
}

export const top = (cluster: Cluster, args: readonly string[] = [], size = {}) =>
  new TestTerminal(['top', '--server', cluster.address, ...args], size);
