/** Cuts network links during a sweep for longer than the keepalive timeouts, and then restores them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { cutLinks, type Machine, restoreLinks } from './machine.ts';
import { busySweep, expectRecovery } from './recovery.ts';
import { SpreadCluster } from './spread-cluster.ts';

/** How long a link is cut. The time must exceed 15 s, after which unanswered pings close a connection. */
const CUT_MS = 20_000;

export interface Cut {
  readonly what: string;
  /** The agents whose slots are affected. Default: all. */
  readonly agents?: readonly string[];
  /** The maximum number of attempts that may be lost. Default: 0. */
  readonly maxLostAttempts?: number;
  /** Cuts the link, and returns a function that restores the link. */
  readonly inflict: (cluster: SpreadCluster) => Promise<() => void>;
}

const machines = (cluster: SpreadCluster, names: readonly string[]) => names.map((name) => cluster.machine(name));

/** Cuts a machine off from other machines, in both directions. */
export function inBothDirections(
  one: (cluster: SpreadCluster) => Promise<string>,
  others: readonly string[],
): Cut['inflict'] {
  return async (cluster) => {
    const name = await one(cluster);
    const machine = cluster.machine(name);
    const rest = machines(
      cluster,
      others.filter((other) => other !== name),
    );
    cutLinks(machine, rest);
    return () => restoreLinks(machine, rest);
  };
}

/** Drops everything that the machines in `from` send to the machines in `to`, but nothing in the other direction. */
export function inOneDirection(from: readonly string[], to: readonly string[]): Cut['inflict'] {
  return async (cluster) => {
    const pairs = machines(cluster, from).flatMap((source) =>
      machines(cluster, to).map((target): [Machine, Machine] => [source, target]),
    );
    for (const [source, target] of pairs) source.cutLinkTo(target);
    return () => {
      for (const [source, target] of pairs) source.restoreLinkTo(target);
    };
  };
}

/** Cuts a link during a sweep. Checks that no report is lost, and that at most `maxLostAttempts` attempts are lost. */
export async function sweepThroughCut({ what, agents, inflict, maxLostAttempts = 0 }: Cut): Promise<void> {
  const folder = testFolder();
  const cluster = await SpreadCluster.start(folder);
  const sweep = await busySweep(cluster, folder);
  const restore = await inflict(cluster);
  const beganAt = Date.now();
  await sleep(CUT_MS);
  restore();
  const repairedAt = Date.now();
  const { attempts } = await expectRecovery(cluster, sweep, { what, beganAt, repairedAt, ...(agents && { agents }) });
  const ends = attempts.flatMap(({ failureClass }) => failureClass ?? []);
  expect(ends.filter((failure) => failure !== 'lost')).toEqual([]);
  expect(ends.length).toBeLessThanOrEqual(maxLostAttempts);
}
