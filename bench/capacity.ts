/**
 * Measures the capacity of one coordinator: connected agents, reports per second, and trials in the store. The
 * coordinator runs in its own process. The agents are real supervisors in this process. Their workers only wait.
 *
 *   npm run bench:capacity -- [--seconds 15] [--fleets 1000x8@4000,100x8@0] [--simulated] [--watchers 1] [--profile DIR]
 *     [--draw curves.svg]
 *
 * `--fleets` measures only these fleets, as AGENTSxSLOTS@MS: each slot sends a report every MS milliseconds. With
 * `--simulated`, the agents are simulated (capacity/simulated-fleet.ts), because 1,000 supervisors need more processor
 * time than the coordinator. `--watchers` also measures each fleet while this number of clients watch the sweep.
 * `--profile` writes a CPU profile of each coordinator to a folder. `--draw` draws the costs of the fleets of `--fleets`
 * that report, against the number of agents. These fleets must be in the order of this number.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { startNatsServer } from '../bin/local/nats-server.ts';
import { SweepServiceClient } from '../proto/gen/trawl/v1/sweep_service.ts';
import { MeasuredCoordinator } from './capacity/coordinator.ts';
import { Fleet } from './capacity/fleet.ts';
import { SimulatedFleet } from './capacity/simulated-fleet.ts';
import { drawCurves } from './large-sweeps/draw-curves.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    fleets: { type: 'string' },
    simulated: { type: 'boolean', default: false },
    watchers: { type: 'string', default: '0' },
    profile: { type: 'string' },
    draw: { type: 'string' },
  },
});
const seconds = Number(values.seconds);

/**
 * The fleets to measure. Each slot sends a report every `everyMs`. With an `everyMs` of 0, no sweep is submitted, and
 * the agents are idle.
 */
const FLEETS =
  values.fleets !== undefined
    ? parseFleets(values.fleets)
    : [
        { agents: 100, slots: 8, everyMs: 0 },
        { agents: 1_000, slots: 8, everyMs: 0 },
        { agents: 100, slots: 8, everyMs: 1_000 },
        { agents: 100, slots: 8, everyMs: 250 },
        { agents: 100, slots: 8, everyMs: 100 },
        { agents: 1_000, slots: 8, everyMs: 4_000 },
      ];
const TRIALS = [10_000, 100_000, 200_000];

const folder = mkdtempSync(join(tmpdir(), 'trawl-capacity-'));
const nats = await startNatsServer({ storeDir: join(folder, 'nats') });
const column = (value: string | number) => `${value}`.padStart(12);

function sweepFile(name: string, trials: number, everyMs: number): string {
  const path = join(folder, `${name}.yaml`);
  const run = `epochs: {value: 100000}, duration_ms: {value: ${everyMs}}`;
  writeFileSync(path, `trainer: noop\nparameters: {a: {min: 1, max: ${trials}, step: 1}, ${run}}\n`);
  return path;
}

interface FleetSize {
  readonly agents: number;
  readonly slots: number;
  readonly everyMs: number;
}

function parseFleets(text: string): FleetSize[] {
  return text.split(',').map((fleet) => {
    const [agents = 0, slots = 0, everyMs = 0] = fleet.split(/[x@]/).map(Number);
    return { agents, slots, everyMs };
  });
}

interface ReportCosts {
  readonly agents: number;
  /** Processor time of the coordinator per report, in microseconds, without and with watchers. */
  readonly report: number;
  readonly watchedReport: number | undefined;
  /** The peak memory of the coordinator without watchers, in MiB. */
  readonly peak: number;
}

/** Measures a fleet. Returns undefined if its agents send no reports. */
async function measureFleet({ agents, slots, everyMs }: FleetSize): Promise<ReportCosts | undefined> {
  const name = `fleet-${agents}-${everyMs}`;
  const coordinator = await MeasuredCoordinator.start(join(folder, name), nats.url, values.profile);
  const options = { agents, slots, server: coordinator.address, natsUrl: nats.url, folder: join(folder, `${name}-a`) };
  const fleet = values.simulated ? await SimulatedFleet.start(options, everyMs) : await Fleet.start(options);
  while ((await coordinator.metric('trawl_agents')) < agents) await sleep(200);
  if (everyMs > 0) {
    await coordinator.trawl('submit', sweepFile(name, agents * slots, everyMs), '-q');
    while ((await coordinator.metric('trawl_reports_ingested_total')) < agents * slots) await sleep(500);
  }
  await sleep(2_000);
  const report = await measureReports(coordinator, { agents, slots, everyMs }, 0);
  const peak = coordinator.peakMiB;
  let watchedReport: number | undefined;
  const watchers = Number(values.watchers);
  if (watchers > 0) {
    const stop = watchSweep(coordinator.address, watchers);
    await sleep(2_000);
    watchedReport = await measureReports(coordinator, { agents, slots, everyMs }, watchers);
    stop();
  }
  if (values.profile !== undefined) await coordinator.stop();
  await fleet.stop();
  await coordinator.kill();
  return everyMs > 0 ? { agents, report, watchedReport, peak } : undefined;
}

/** Watches the newest sweep, and reads all messages. Returns a function that ends the watches. */
function watchSweep(address: string, watchers: number): () => void {
  const client = new SweepServiceClient(address, credentials.createInsecure());
  const streams = Array.from({ length: watchers }, () => client.watch({ sweep: '', sinceEventSeq: 0 }));
  for (const stream of streams) stream.on('data', () => {}).on('error', () => {});
  return () => {
    for (const stream of streams) stream.cancel();
    client.close();
  };
}

/**
 * Measures the coordinator's costs over a period of `seconds`, and prints them. The costs include one scrape of the
 * metrics. By default, Prometheus scrapes once per 15 seconds.
 * @returns the processor time per report in microseconds
 */
async function measureReports(
  coordinator: MeasuredCoordinator,
  { agents, slots, everyMs }: FleetSize,
  watchers: number,
): Promise<number> {
  const reports = await coordinator.metric('trawl_reports_ingested_total');
  const [begun, cpu] = [performance.now(), coordinator.cpuSeconds];
  await sleep(seconds * 1000);
  const metric = await coordinator.scrape();
  const took = (performance.now() - begun) / 1000;
  const lag = metric('trawl_reports_lag_seconds');
  const taken = (metric('trawl_reports_ingested_total') - reports) / took;
  const cores = (coordinator.cpuSeconds - cpu) / took;
  const report = (cores / taken) * 1e6;
  const expected = everyMs === 0 ? 0 : (agents * slots * 1000) / everyMs;
  console.log(
    [agents, agents * slots, watchers, expected, taken.toFixed(0), cores.toFixed(2)].map(column).join('') +
      [
        everyMs === 0 ? '' : report.toFixed(0),
        everyMs === 0 ? '' : `${lag.toFixed(2)} s`,
        `${coordinator.peakMiB.toFixed(0)} MiB`,
      ]
        .map(column)
        .join(''),
  );
  return report;
}

function draw(costs: readonly ReportCosts[], path: string): void {
  const watched = costs.flatMap(({ watchedReport }) => watchedReport ?? []);
  const curves = [
    { title: 'one report', unit: 'us', costs: costs.map(({ report }) => report) },
    ...(watched.length === costs.length
      ? [{ title: `one report, watchers: ${values.watchers}`, unit: 'us', costs: watched }]
      : []),
    { title: 'peak memory', unit: 'MiB', costs: costs.map(({ peak }) => peak) },
  ];
  writeFileSync(
    path,
    drawCurves(
      costs.map(({ agents }) => agents),
      curves,
      'agents',
    ),
  );
}

async function measureTrials(trials: number): Promise<void> {
  const dir = join(folder, `trials-${trials}`);
  let coordinator = await MeasuredCoordinator.start(dir, nats.url);
  const begun = performance.now();
  await coordinator.trawl('submit', sweepFile(`trials-${trials}`, trials, 0), '-q');
  const submitted = (performance.now() - begun) / 1000;
  const peak = coordinator.peakMiB;
  await coordinator.kill();
  const again = performance.now();
  coordinator = await MeasuredCoordinator.start(dir, nats.url);
  const restarted = (performance.now() - again) / 1000;
  const store = ['store.db', 'store.db-wal'].reduce((sum, file) => sum + statSync(join(dir, file)).size, 0) / 2 ** 20;
  console.log(
    [trials, `${submitted.toFixed(1)} s`, `${peak.toFixed(0)} MiB`, `${restarted.toFixed(1)} s`].map(column).join('') +
      [`${coordinator.peakMiB.toFixed(0)} MiB`, `${store.toFixed(0)} MiB`].map(column).join(''),
  );
  await coordinator.kill();
}

try {
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  console.log(`machine: ${machine}, Node ${process.version}; load ${loadavg()[0]?.toFixed(1)}; ${seconds} s per row\n`);
  console.log(
    ['agents', 'slots', 'watchers', 'reports/s', 'taken/s', 'cores', 'us/report', 'lag', 'peak'].map(column).join(''),
  );
  const costs: ReportCosts[] = [];
  for (const fleet of FLEETS) {
    const measured = await measureFleet(fleet);
    if (measured !== undefined) costs.push(measured);
  }
  if (values.draw !== undefined && costs.length > 0) draw(costs, values.draw);
  if (values.fleets === undefined) {
    console.log(`\n${['trials', 'submit', 'peak', 'restart', 'peak then', 'store'].map(column).join('')}`);
    for (const trials of TRIALS) await measureTrials(trials);
  }
} finally {
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
