/**
 * Runs the same work under trawl and under its peers, in turns, and compares throughput, CPU time, memory and overhead.
 * Also kills processes of each peer, and compares the lost points, the duplicate results and the recovery times.
 * Installs the peers from the Python registry, with pinned versions, into `~/.cache/trawl/peers`. Needs Linux and python3
 * with venv, and PostgreSQL for one of the peers.
 *
 *   npm run bench:peers -- [--only trawl,hyperqueue] [--work noop,sleep,train,kill] [--slots 2,8,32] [--rounds 2]
 *                          [--trials N] [--limit 6] [--quick] [--json FILE]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { group } from 'd3-array';
import { cachedPath, defaultDataDir } from '../agent/data/cache.ts';
import { DATASETS } from '../agent/data/catalog.ts';
import { ensureDataset } from '../agent/data/fetch.ts';
import { errorMessage } from '../lib/text/error-message.ts';
import { BadInputError, EXIT } from '../proto/errors.ts';
import { type Machine, measure, measureKill } from './peers/cell.ts';
import { type Failure, figure, type KillRun, killTable, type Run, summaryOf, workTable } from './peers/figures.ts';
import {
  type Cell,
  cellsOf,
  estimateS,
  isMeasuredIn,
  killsOf,
  limitOf,
  type Options,
  parseOptions,
  type Work,
} from './peers/options.ts';
import { isImpossible, type Peer, type TrialWork } from './peers/peer.ts';
import { ALL_PEERS } from './peers/peers.ts';
import { AUTOENCODER } from './peers/program.ts';
import { benchEnvironment, TORCH } from './pytorch.ts';

/** The baseline is the shortest of this many trainings. They run in one process that has already loaded PyTorch. */
const BASELINE_TRIALS = 5;
const SLEEP_S = 0.1;
const TITLES: Record<TrialWork, string> = {
  noop: 'Trials that do nothing',
  sleep: 'Trials of 0.1 s',
  train: 'The 3-layer autoencoder, one epoch of 2,000 images',
};

const runs: Run[] = [];
const kills: KillRun[] = [];
const failures: Failure[] = [];

try {
  await compare(parseOptions(process.argv.slice(2), ALL_PEERS));
} catch (error) {
  if (!(error instanceof BadInputError)) throw error;
  console.error(error.message);
  process.exitCode = EXIT.badInput;
}

async function compare(given: Options): Promise<void> {
  const { rounds, json } = given;
  if (json !== undefined) writeResults(json, {});
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  console.log(`machine: ${machine}, Node ${process.version}; load ${loadavg()[0]?.toFixed(1)}`);
  console.log(
    `estimated duration: ${Math.ceil(estimateS(given) / 60)} min on two idle cores, after the installation\n`,
  );
  const training = await installTraining(given);
  const options = training === undefined ? { ...given, works: given.works.filter((work) => work !== 'train') } : given;
  const machines = await install(options, training ?? { torch: '', images: '' });
  const installed = (cell: { readonly peer: Peer }) => machines.has(cell.peer.name);
  for (let round = 0; round < rounds; round++) {
    for (const cell of cellsOf(options).filter(installed)) {
      if (isMeasuredIn(round, cell, options)) await runCell(cell, round, machines, options);
    }
  }
  for (const { peer, killed } of killsOf(options).filter(installed)) await runKill(peer, killed, machines);
  const torch = [...machines.values()][0];
  const trainS = runs.some(({ work }) => work === 'train') && torch !== undefined ? baselineS(torch) : undefined;
  console.log(report(options, { noop: 0, sleep: SLEEP_S, train: trainS }));
  console.log(`\nload at the end: ${loadavg()[0]?.toFixed(1)}`);
  if (json !== undefined) writeResults(json, { machine, node: process.version, trainS, runs, kills, failures });
}

/** @throws {BadInputError} when the file cannot be written */
function writeResults(file: string, results: object): void {
  try {
    writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  } catch (error) {
    throw new BadInputError(`--json: could not write ${file}: ${errorMessage(error)}`);
  }
}

/**
 * If training is selected, installs PyTorch and MNIST. Returns undefined if training is not selected. If the
 * installation fails, reports the reason, and also returns undefined.
 */
async function installTraining({ works }: Options): Promise<Pick<Machine, 'torch' | 'images'> | undefined> {
  if (!works.includes('train')) return undefined;
  try {
    return { torch: join(await benchEnvironment(TORCH), 'python'), images: await trainingImages() };
  } catch (error) {
    console.error(`training is not measured: ${failureText(error)}`);
    return undefined;
  }
}

/** Installs the selected peers. A peer that cannot be installed is reported, and the others still run. */
async function install(
  { peers, works }: Options,
  { torch, images }: Pick<Machine, 'torch' | 'images'>,
): Promise<Map<string, Machine>> {
  const trains = works.includes('train');
  const machines = new Map<string, Machine>();
  for (const peer of peers) {
    if ('absent' in peer) {
      noteFailure({ peer: peer.name, work: works, reason: peer.absent });
      continue;
    }
    const { tool } = peer;
    if (tool !== undefined && spawnSync(tool.command, ['--version']).status !== 0) {
      noteFailure({ peer: peer.name, work: works, reason: tool.missing });
      continue;
    }
    const packages = [...peer.packages, ...(trains && !peer.startsPrograms ? TORCH : [])];
    console.log(`${peer.name}: ${peer.about}${packages.length === 0 ? '' : ` (${packages.join(', ')})`}`);
    try {
      const folder = packages.length === 0 ? '' : await benchEnvironment(packages);
      machines.set(peer.name, { python: folder === '' ? 'python3' : join(folder, 'python'), torch, images });
    } catch (error) {
      noteFailure({ peer: peer.name, work: works, reason: failureText(error) });
    }
  }
  console.log('');
  return machines;
}

/** Returns the message of an error and of its cause in one line. */
function failureText(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? `: ${errorMessage(error.cause)}` : '';
  return `${errorMessage(error)}${cause}`.replaceAll(/\s+/g, ' ');
}

async function trainingImages(): Promise<string> {
  const mnist = DATASETS.find(({ name }) => name === 'mnist');
  if (mnist === undefined) throw new Error('the catalog has no MNIST');
  const folder = defaultDataDir(process.env);
  await ensureDataset(mnist, folder);
  return cachedPath(folder, mnist, mnist.trainImages);
}

function noteFailure({ peer, work, reason }: { peer: string; work: readonly Work[]; reason: string }): void {
  console.error(`${peer}: ${reason}`);
  for (const each of work) failures.push({ peer, work: each, slots: undefined, reason });
}

async function runCell(cell: Cell, round: number, machines: Map<string, Machine>, { limitS }: Options): Promise<void> {
  const { peer, work, slots, trials } = cell;
  const machine = machines.get(peer.name);
  if (machine === undefined) return;
  const name = `${work}, ${slots} slots, ${peer.name}`;
  try {
    const run = await measure(peer, machine, { work, slots, trials, round, limitS: limitOf(work, limitS) });
    runs.push(run);
    const { trialsPerS, points } = summaryOf([run], undefined, 1);
    console.log(`${name}: ${figure(trialsPerS)} trials/s, ${points}`);
  } catch (error) {
    const reason = errorMessage(error);
    console.error(`${name}: ${reason}`);
    failures.push({ peer: peer.name, work, slots, reason });
  }
}

async function runKill(peer: Peer, killed: 'worker' | 'controller', machines: Map<string, Machine>): Promise<void> {
  const machine = machines.get(peer.name);
  if (machine === undefined) return;
  try {
    const run = await measureKill(peer, machine, killed);
    kills.push(run);
    console.log(`kill -9 of the ${killed}, ${peer.name}: ${run.lost ?? 'unknown'} points lost`);
  } catch (error) {
    const reason = `${killed}: ${errorMessage(error)}`;
    console.error(`kill -9, ${peer.name}: ${reason}`);
    failures.push({ peer: peer.name, work: 'kill', slots: undefined, reason });
  }
}

/** Returns the duration in seconds of training one trial with one thread, without a peer. */
function baselineS({ torch, images }: Machine): number {
  const output = execFileSync(torch, [AUTOENCODER, '1', images, `${BASELINE_TRIALS}`], { encoding: 'utf8' });
  return (JSON.parse(output) as { readonly seconds: number }).seconds;
}

/**
 * Returns the tables as Markdown.
 * @param workS for each kind of work, the duration of the work of one trial in seconds
 */
function report({ peers, works }: Options, workS: Readonly<Record<TrialWork, number | undefined>>): string {
  const parts: string[] = [];
  for (const work of works) {
    const failed = failures.filter((failure) => failure.work === work);
    if (work === 'kill') {
      const impossible = peers.flatMap((peer) => {
        if ('absent' in peer) return [];
        return [peer.worker, peer.controller].flatMap((kill) =>
          isImpossible(kill) ? [{ peer: peer.name, work, slots: undefined, reason: kill.reason }] : [],
        );
      });
      parts.push('\n### After `kill -9`\n', killTable(kills, [...failed, ...impossible]));
      continue;
    }
    const ofWork = runs.filter((run) => run.work === work);
    const groups = group(ofWork, ({ peer, slots }) => `${peer} ${slots}`);
    const summaries = [...groups.values()].map((each) => summaryOf(each, workS[work], availableParallelism()));
    const duration =
      work === 'train' && workS.train !== undefined ? `, ${figure(1000 * workS.train)} ms without a peer` : '';
    parts.push(`\n### ${TITLES[work]}${duration}\n`, workTable(summaries, failed));
  }
  return parts.join('\n');
}
