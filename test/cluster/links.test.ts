/** A sweep over six machines while links between them are cut, for longer than it takes to notice, and mended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { testFolder } from '../harness/folder.ts';
import { until } from '../harness/until.ts';
import { machinesMissing } from './ip.ts';
import { cut, type Machine, mend } from './machine.ts';
import { recovered, sweepAtWork } from './recovery.ts';
import { AGENTS, HEAD, NATS, SpreadCluster } from './spread-cluster.ts';

const LIMIT_MS = 300_000;
/** Pings that are not answered end a connection after 15 s. */
const CUT_MS = 20_000;
const [CUT_AGENT] = AGENTS;

interface Cut {
  readonly what: string;
  readonly agents?: readonly string[];
  /** @returns what mends it */
  readonly inflict: (cluster: SpreadCluster) => Promise<() => void>;
}

const machines = (cluster: SpreadCluster, names: readonly string[]) => names.map((name) => cluster.machine(name));

/** Cuts a machine off from others, both ways. */
function between(one: (cluster: SpreadCluster) => Promise<string>, others: readonly string[]): Cut['inflict'] {
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
function oneWay(from: readonly string[], to: readonly string[]): Cut['inflict'] {
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

const leader = (cluster: SpreadCluster) => until('the queue of offers has a leader', () => cluster.leader());
const agents = [CUT_AGENT];

const CUTS: readonly Cut[] = [
  {
    what: "the machine of the queue's leader cut off from all others",
    inflict: between(leader, [HEAD, ...NATS, ...AGENTS]),
  },
  { what: 'an agent cut off from NATS', agents, inflict: between(async () => CUT_AGENT, NATS) },
  { what: 'an agent cut off from the coordinator', agents, inflict: between(async () => CUT_AGENT, [HEAD]) },
  { what: 'an agent that NATS does not hear', agents, inflict: oneWay([CUT_AGENT], NATS) },
  { what: 'an agent that does not hear NATS', agents, inflict: oneWay(NATS, [CUT_AGENT]) },
  { what: 'an agent that the coordinator does not hear', agents, inflict: oneWay([CUT_AGENT], [HEAD]) },
  { what: 'an agent that does not hear the coordinator', agents, inflict: oneWay([HEAD], [CUT_AGENT]) },
];

const missing = machinesMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

test.skipIf(missing !== undefined).each(CUTS)(
  'a sweep loses nothing and runs nothing twice: $what',
  { timeout: LIMIT_MS },
  async ({ what, agents, inflict }) => {
    const folder = testFolder();
    const cluster = await SpreadCluster.start(folder);
    const sweep = await sweepAtWork(cluster, folder);
    const mendLinks = await inflict(cluster);
    const beganAt = Date.now();
    await sleep(CUT_MS);
    mendLinks();
    const mendedAt = Date.now();
    const { attempts } = await recovered(cluster, sweep, { what, beganAt, mendedAt, ...(agents && { agents }) });
    // One of the two ways is enough to keep what runs.
    expect(attempts.filter(({ failureClass }) => failureClass !== null)).toEqual([]);
  },
);
