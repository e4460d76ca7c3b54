/** Opens a filled store as a coordinator does after a restart, and prints the costs as JSON. */
import { pino } from 'pino';
import { connect } from '../../bin/client/connect.ts';
import { unary } from '../../bin/client/rpc.ts';
import { controlSweep, getSweep, listConfigs, submitSweep, trialsById } from '../../bin/client/sweeps.ts';
import { Runtime } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import { openStore } from '../../coordinator/store/open.ts';
import { listen } from '../../coordinator/transport/listener.ts';
import { newServer } from '../../coordinator/transport/server.ts';
import { sweepService } from '../../coordinator/transport/sweep-service.ts';
import { SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { peakBytes } from '../process-figures.ts';
import type { Costs } from './costs.ts';

const LEASE_MS = 15_000;
const MIB = 2 ** 20;
/** As many configs as `trawl best` requests. */
const CONFIGS = 6;

async function timed<T>(work: () => T | Promise<T>): Promise<[ms: number, result: T]> {
  const begun = performance.now();
  const result = await work();
  return [performance.now() - begun, result];
}

function openRuntime(folder: string): Runtime {
  const fail = (error: unknown) => {
    throw error;
  };
  return new Runtime({ db: openStore(folder), leaseMs: LEASE_MS, send: () => {}, onBroken: fail });
}

async function measure(folder: string): Promise<Costs> {
  const [restartMs, runtime] = await timed(() => openRuntime(folder));
  const source = {
    queries: runtime.queries,
    agents: () => [],
    explain: () => undefined,
    onCommit: runtime.onCommit.bind(runtime),
  };
  const server = newServer();
  server.addService(SweepServiceService, sweepService(source, sweepControl(runtime), pino({ level: 'silent' })));
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  const connection = await connect({ server: `${listener.host}:${listener.port}`, identity: false });
  const { sweep, text } = await getSweep(connection, '1');
  const [bestMs, best] = await timed(async () => {
    const configs = await listConfigs(connection, { sweep: '1', limit: CONFIGS });
    return trialsById(
      connection,
      '1',
      configs.flatMap(({ trialIds }) => trialIds),
    );
  });
  if (best.length !== CONFIGS) throw new Error(`the ranking has ${best.length} trials`);
  const prefix = best[0]?.id.slice(0, 8) ?? '';
  const [showMs] = await timed(() => unary(connection, connection.client.getTrial, { sweep: '', trial: prefix }));
  const [pauseMs] = await timed(() => controlSweep(connection, sweep.id, 'SWEEP_ACTION_PAUSE'));
  const [resumeMs] = await timed(() => controlSweep(connection, sweep.id, 'SWEEP_ACTION_RESUME'));
  const [submitMs] = await timed(() => submitSweep(connection, { text, fileName: 'next.yaml' }, undefined));
  globalThis.gc?.();
  const residentMiB = process.memoryUsage().rss / MIB;
  const [killMs] = await timed(() => controlSweep(connection, sweep.id, 'SWEEP_ACTION_KILL'));
  const peakMiB = peakBytes(process.pid) / MIB;
  await connection.close();
  server.forceShutdown();
  listener.close();
  return { restartMs, bestMs, showMs, pauseMs, resumeMs, submitMs, killMs, residentMiB, peakMiB };
}

console.log(JSON.stringify(await measure(process.argv[2] ?? '')));
