/** Links between machines that are cut, for longer than it takes to notice, and mended, while a sweep is at work. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { cut, type Machine, mend } from './machine.ts';
import { recovered, sweepAtWork } from './recovery.ts';
import { SpreadCluster } from './spread-cluster.ts';

/** Pings that are not answered end a connection after 15 s. */
const CUT_MS = 20_000;

export interface Cut {
  readonly what: string;
  /** Whose slots it touches; all agents' unless said. */
  readonly agents?: readonly string[];
  /** Attempts that it may cost; none unless said. */
  readonly mayCost?: number;
  /** @returns what mends it */
  readonly inflict: (cluster: SpreadCluster) => Promise<() => void>;
}

const machines = (cluster: SpreadCluster, names: readonly string[]) => names.map((name) => cluster.machine(name));

/** Cuts a machine off from others, both ways. */
export function between(one: (cluster: SpreadCluster) => Promise<string>, others: readonly string[]): Cut['inflict'] {
  return async (cluster) => {
    const name = await one(cluster);
    const machine = cluster.machine(name);
    const rest = machines(
      cluster,
      others.filter((other) => other !== name),
    );
    cut(machine, rest);
    return () => mend(machine, rest);
  };
}

/** What some machines say to others is lost; what the others say arrives. */
export function oneWay(from: readonly string[], to: readonly string[]): Cut['inflict'] {
  return async (cluster) => {
    const pairs = machines(cluster, from).flatMap((source) =>
      machines(cluster, to).map((target): [Machine, Machine] => [source, target]),
    );
    for (const [source, target] of pairs) source.cutTo(target);
    return () => {
      for (const [source, target] of pairs) source.mendTo(target);
    };
  };
}

/** A sweep loses nothing and runs nothing twice, and what runs goes on: one way to the coordinator is enough. */
export async function sweepThroughCut({ what, agents, inflict, mayCost = 0 }: Cut): Promise<void> {
  const folder = testFolder();
  const cluster = await SpreadCluster.start(folder);
  const sweep = await sweepAtWork(cluster, folder);
  const mendLinks = await inflict(cluster);
  const beganAt = Date.now();
  await sleep(CUT_MS);
  mendLinks();
  const mendedAt = Date.now();
  const { attempts } = await recovered(cluster, sweep, { what, beganAt, mendedAt, ...(agents && { agents }) });
  const ends = attempts.flatMap(({ failureClass }) => failureClass ?? []);
  expect(ends.filter((failure) => failure !== 'lost')).toEqual([]);
  expect(ends.length).toBeLessThanOrEqual(mayCost);
}
