/** Opens a filled store as a coordinator does after a restart, and prints the costs as JSON. */
import { quantile } from 'd3-array';
import { pino } from 'pino';
import { connect } from '../../bin/client/connect.ts';
import { unary } from '../../bin/client/rpc.ts';
import { controlSweep, getSweep, listConfigs, retryTrials, submitSweep, trialsById } from '../../bin/client/sweeps.ts';
import { Runtime } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import { SqliteStore } from '../../coordinator/store/sqlite-store.ts';
import { listen } from '../../coordinator/transport/listener.ts';
import { newServer } from '../../coordinator/transport/server.ts';
import { sweepService } from '../../coordinator/transport/sweep-service.ts';
import { type SweepAction, SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { peakBytes } from '../process-figures.ts';
import type { Costs } from './costs.ts';

const LEASE_MS = 15_000;
const MIB = 2 ** 20;
/** The number of configs that `trawl best` requests. */
const CONFIGS = 6;
const PREFIX_LENGTH = 8;
const ROUNDS = 7;

async function timed<T>(work: () => T | Promise<T>): Promise<[ms: number, result: T]> {
  const begun = performance.now();
  const result = await work();
  return [performance.now() - begun, result];
}

interface Medians {
  readonly ms: number;
  /** The processor time of the client and the coordinator, which run in one process. */
  readonly cpuMs: number;
}

/** @param undo reverses the effect of a call; it runs after each call, and is not measured */
async function mediansOf<T>(
  work: () => Promise<T>,
  undo: (result: T) => Promise<unknown> = async () => {},
): Promise<Medians> {
  const times: number[] = [];
  const cpuTimes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const cpu = process.cpuUsage();
    const [ms, result] = await timed(work);
    const { user, system } = process.cpuUsage(cpu);
    times.push(ms);
    cpuTimes.push((user + system) / 1_000);
    await undo(result);
  }
  return { ms: quantile(times, 0.5) ?? 0, cpuMs: quantile(cpuTimes, 0.5) ?? 0 };
}

async function medianOf<T>(work: () => Promise<T>, undo?: (result: T) => Promise<unknown>): Promise<number> {
  return (await mediansOf(work, undo)).ms;
}

function openRuntime(folder: string): Promise<Runtime> {
  const fail = (error: unknown) => {
    throw error;
  };
  return Runtime.open({ store: SqliteStore.open(folder), leaseMs: LEASE_MS, send: () => {}, onBroken: fail });
}

async function measure(folder: string): Promise<Costs> {
  const [restartMs, runtime] = await timed(() => openRuntime(folder));
  const source = {
    queries: runtime.queries,
    agents: () => [],
    explain: () => undefined,
    startOf: () => undefined,
    onCommit: runtime.onCommit.bind(runtime),
  };
  const server = newServer();
  server.addService(SweepServiceService, sweepService(source, sweepControl(runtime), pino({ level: 'silent' })));
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  const connection = await connect({ server: `${listener.host}:${listener.port}`, identity: false });
  const { sweep, text } = await getSweep(connection, '1');
  const rank = async () => {
    const configs = await listConfigs(connection, { sweep: sweep.id, limit: CONFIGS });
    if (configs.length !== CONFIGS) throw new Error(`the ranking has ${configs.length} configs`);
    const ids = configs.flatMap(({ trialIds }) => trialIds);
    return trialsById(connection, sweep.id, ids);
  };
  const best = await rank();
  const { ms: bestMs, cpuMs: bestCpuMs } = await mediansOf(() => rank());
  const trial = best[0]?.id.slice(0, PREFIX_LENGTH) ?? '';
  const showMs = await medianOf(() => unary(connection, connection.client.getTrial, { sweep: '', trial }));
  const act = (action: SweepAction) => controlSweep(connection, sweep.id, action);
  const pauseMs = await medianOf(
    () => act('SWEEP_ACTION_PAUSE'),
    () => act('SWEEP_ACTION_RESUME'),
  );
  const killMs = await medianOf(
    () => act('SWEEP_ACTION_KILL'),
    () => retryTrials(connection, { sweep: sweep.id, cancelled: true }),
  );
  const submitMs = await medianOf(
    () => submitSweep(connection, { text, fileName: 'next.yaml' }, undefined),
    ({ id }) => controlSweep(connection, id, 'SWEEP_ACTION_KILL'),
  );
  globalThis.gc?.();
  const residentMiB = process.memoryUsage().rss / MIB;
  const peakMiB = peakBytes(process.pid) / MIB;
  await connection.close();
  server.forceShutdown();
  listener.close();
  return { restartMs, bestMs, bestCpuMs, showMs, submitMs, pauseMs, killMs, residentMiB, peakMiB };
}

console.log(JSON.stringify(await measure(process.argv[2] ?? '')));
