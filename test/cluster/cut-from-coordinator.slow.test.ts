/** A sweep on six machines, one of which is temporarily cut off from the coordinator, in one or both directions. */
import { test } from 'vitest';
import { machinesMissing } from './ip.ts';
import { between, type Cut, oneWay, sweepThroughCut } from './links.ts';
import { ALL_ROUNDS } from './rounds.ts';
import { AGENTS, HEAD } from './spread-cluster.ts';

const LIMIT_MS = 300_000;
const [AGENT] = AGENTS;
const agents = [AGENT];

const CUTS: readonly Cut[] = [
  { what: 'an agent cut off from the coordinator', agents, inflict: between(async () => AGENT, [HEAD]) },
  { what: 'an agent that the coordinator does not hear', agents, inflict: oneWay([AGENT], [HEAD]) },
  { what: 'an agent that does not hear the coordinator', agents, inflict: oneWay([HEAD], [AGENT]) },
];

const missing = machinesMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

test.skipIf(missing !== undefined || !ALL_ROUNDS).each(CUTS)(
  'a sweep loses nothing and runs nothing twice: $what',
  { timeout: LIMIT_MS },
  sweepThroughCut,
);
