/**
 * Measures how the processor time of the coordinator's periodic decisions depends on the numbers of agents and sweeps.
 * The core runs in this process, without a store, NATS or gRPC. All slots are busy.
 *
 *   npm run bench:decisions -- [--cases AGENTS/SWEEPS,...] [--draw curves.svg]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { onHeartbeat, onHello } from '../coordinator/core/agents.ts';
import { onOpen } from '../coordinator/core/attempts.ts';
import { agentLeases } from '../coordinator/core/leases.ts';
import { type Core, newCore } from '../coordinator/core/model.ts';
import { openOffers, schedule } from '../coordinator/core/scheduler.ts';
import { onTick } from '../coordinator/core/tick.ts';
import { addSweep, agentHello, LEASE_MS } from '../test/support/coordinator/sample-core.ts';
import { drawCurves } from './large-sweeps/draw-curves.ts';

const SLOTS = 8;
const CASES = [
  { agents: 100, sweeps: 1 },
  { agents: 1_000, sweeps: 1 },
  { agents: 12_500, sweeps: 1 },
  { agents: 100, sweeps: 200 },
  { agents: 1_000, sweeps: 200 },
];

const { values } = parseArgs({ options: { cases: { type: 'string' }, draw: { type: 'string' } } });
const cases =
  values.cases === undefined
    ? CASES
    : values.cases.split(',').map((text) => {
        const [agents = 0, sweeps = 0] = text.split('/').map(Number);
        return { agents, sweeps };
      });

/**
 * Returns a core whose slots all run trials, divided equally among the sweeps. Each sweep also has pending trials. Also
 * returns the mean processor time of a grant in microseconds.
 */
function busyCore(agents: number, sweeps: number): { core: Core; grant: number } {
  const core = newCore(LEASE_MS, 0);
  const perSweep = Math.ceil((agents * SLOTS) / sweeps);
  for (let at = 0; at < agents; at++) onHello(core, agentHello(`agent-${at}`, `i${at}`, SLOTS), 0);
  let next = 0;
  let granting = 0;
  for (let at = 0; at < sweeps; at++) {
    addSweep(core, `${at}`, perSweep + 100);
    schedule(core, 0);
    const begun = process.cpuUsage();
    for (const { key } of openOffers(core).slice(0, perSweep)) {
      const agent = Math.floor(next / SLOTS) % agents;
      onOpen(core, { key, agentId: `agent-${agent}`, incarnation: `i${agent}`, slot: next % SLOTS }, 0);
      next += 1;
    }
    const { user, system } = process.cpuUsage(begun);
    granting += user + system;
  }
  return { core, grant: granting / next };
}

/** Returns the mean processor time of an operation in microseconds. Calls the operation for at least half a second. */
function cpuMicros(operation: (call: number) => void): number {
  operation(0);
  const begun = process.cpuUsage();
  for (let call = 1; ; call++) {
    operation(call);
    const { user, system } = process.cpuUsage(begun);
    if (user + system > 500_000) return (user + system) / call;
  }
}

const measured: { agents: number; grant: number; heartbeat: number; tick: number; pass: number }[] = [];
const column = (text: string | number) => `${text}`.padStart(12);
console.log(['agents', 'slots', 'sweeps', 'grant', 'heartbeat', 'tick', 'pass', 'cores'].map(column).join(''));
for (const { agents, sweeps } of cases) {
  const { core, grant } = busyCore(agents, sweeps);
  const now = LEASE_MS / 2;
  const beats = Array.from({ length: agents }, (_, at) => {
    const agentId = `agent-${at}`;
    return {
      agentId,
      incarnation: `i${at}`,
      held: [...agentLeases(core, agentId)].map(({ key }) => key),
      leaving: false,
    };
  });
  const heartbeat = cpuMicros((call) => {
    const beat = beats[call % agents];
    if (beat !== undefined) onHeartbeat(core, beat, now);
  });
  const tick = cpuMicros(() => void onTick(core, now));
  const pass = cpuMicros(() => void schedule(core, now));
  if (sweeps === 1) measured.push({ agents, grant, heartbeat, tick: tick / 1000, pass: pass / 1000 });
  // Each agent sends two heartbeats every 3 s, one by gRPC and one by NATS. A tick and a scheduling pass run four times
  // per second.
  const cores = ((heartbeat * agents * 2) / 3 + (tick + pass) * 4) / 1e6;
  console.log(
    [agents, core.leases.size, sweeps].map(column).join('') +
      [
        `${grant.toFixed(1)} us`,
        `${heartbeat.toFixed(1)} us`,
        `${(tick / 1000).toFixed(2)} ms`,
        `${(pass / 1000).toFixed(2)} ms`,
        cores.toFixed(3),
      ]
        .map(column)
        .join(''),
  );
}
if (values.draw !== undefined) {
  const curve = (title: 'grant' | 'heartbeat' | 'tick' | 'pass', unit: string) => {
    return { title, unit, costs: measured.map((costs) => costs[title]) };
  };
  const curves = [curve('grant', 'us'), curve('heartbeat', 'us'), curve('tick', 'ms'), curve('pass', 'ms')];
  writeFileSync(
    values.draw,
    drawCurves(
      measured.map(({ agents }) => agents),
      curves,
      'agents',
    ),
  );
}
