import type { Command } from 'commander';
import { DEFAULT_DIR } from '../../coordinator/app/defaults.ts';
import { lineStream } from '../../dashboard/lines.ts';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { EXIT, RefusedError } from '../../proto/errors.ts';
import type { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type Connection, connectToCoordinatorOf, withConnection } from '../client/connect.ts';
import { getSweep, listTrials } from '../client/sweeps.ts';
import { watchSweep } from '../client/watch.ts';
import { startLocalCluster } from '../local/local-cluster.ts';
import { adoptSweep } from '../local/resume-or-submit.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { packOption, type SlotOptions, withSlots } from '../options/slots.ts';
import { type LoadedSweepFile, loadSweepFile } from '../options/sweep-file.ts';
import { closingRanking } from '../output/closing-ranking.ts';
import { sweepJson, trialJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';
import { terminalOf } from '../output/terminal.ts';
import { coordinatorSource } from '../top/coordinator-source.ts';
import { hasKittyGraphics, lookOf, onTerminal } from '../top/terminal.ts';

interface Options extends GlobalOptions, OutputOptions, SlotOptions {
  readonly dir: string;
  readonly data?: string;
  readonly workdir: string;
  readonly requireGpu?: true;
  readonly pack: number | 'auto';
  readonly logLevel: string;
}

/** How long the coordinator may be away: it is started again at once when it dies. */
const PATIENCE_MS = 120_000;

async function up(fileName: string, options: Options): Promise<void> {
  // The file is checked before anything is made.
  const file = await loadSweepFile(fileName);
  await refuseSecond(options.dir);
  const interrupt = onInterrupt();
  const cluster = await startLocalCluster({
    dir: options.dir,
    natsUrl: process.env.TRAWL_NATS || undefined,
    slots: options,
    dataDir: options.data,
    workdir: options.workdir,
    requireGpu: options.requireGpu ?? false,
    pack: options.pack,
    logLevel: options.logLevel,
    say: note,
  });
  try {
    await withConnection({ server: cluster.address, identity: false }, (connection) =>
      Promise.race([run(connection, file, options, interrupt.signal), cluster.broken]),
    );
  } finally {
    await cluster.stop();
    interrupt.done();
  }
}

/** Runs the file's sweep to its end, or to the first Ctrl-C, and tells how it went. */
async function run(
  connection: Connection,
  file: LoadedSweepFile,
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  const { id } = await adoptSweep(connection, file, note);
  await follow(connection, id, options, signal);
  const { sweep } = await getSweep(connection, id);
  const wallSeconds = Math.round(performance.now() - begun) / 1000;
  if (!sweepEnded(sweep)) process.exitCode = EXIT.interrupted;
  else if (sweep.counts?.failed || sweep.counts?.cancelled) process.exitCode = EXIT.failedTrials;
  await tell(connection, sweep, wallSeconds, file.fileName, options);
}

/** Shows the sweep until it ends or the signal fires: a dashboard on a terminal, lines elsewhere. */
async function follow(connection: Connection, id: string, options: Options, signal: AbortSignal): Promise<void> {
  const updates = () =>
    watchSweep(connection, id, {
      patienceMs: PATIENCE_MS,
      signal,
      onAway: () => note('the coordinator is away; waiting for it'),
      onBack: () => note('the coordinator is back'),
    });
  if (options.output === 'table' && process.stdout.isTTY && process.stdin.isTTY) {
    const raise = () => process.kill(process.pid, 'SIGINT');
    const result = await onTerminal(coordinatorSource(connection, PATIENCE_MS), {
      sweep: id,
      style: lookOf(options, process.stdout, process.env),
      kitty: hasKittyGraphics(process.env),
      endWithSweep: true,
      onInterrupt: raise,
      signal,
    });
    if (result === 'ended' || signal.aborted) return;
    note('the sweep goes on; Ctrl-C stops it');
  }
  for await (const line of lineStream(updates())) {
    if (options.output === 'json') process.stderr.write(`${line}\n`);
    else await print(`${line}\n`);
  }
}

async function tell(
  connection: Connection,
  sweep: Sweep,
  wallSeconds: number,
  fileName: string,
  options: Options,
): Promise<void> {
  const trials = await listTrials(connection, { sweep: sweep.id });
  if (options.output === 'json') {
    const { trials: total, ...rest } = sweepJson(sweep);
    await printJson({ ...rest, total, wall_seconds: wallSeconds, dir: options.dir, trials: trials.map(trialJson) });
  } else {
    const terminal = terminalOf(process.stdout, options.color, process.env);
    await print(`\n${closingRanking(sweep, trials, terminal)}\n${nextSteps(options.dir, trials)}`);
  }
  if (!sweepEnded(sweep)) note(`interrupted; go on with: ${TRAWL} up ${fileName} --dir ${options.dir}`);
}

/** What to type: npm and npx say so when they have started this. */
const TRAWL = process.env.npm_execpath === undefined ? 'trawl' : 'npx trawl';

function nextSteps(dir: string, trials: readonly Trial[]): string {
  const best = trials[0];
  const by = best !== undefined && 'psnr' in best.metrics ? ' --by psnr' : '';
  const steps = [
    [`best last${by}`, 'the best trials by a metric'],
    [`show ${best === undefined ? 'last' : shortId(best.id)}`, 'one trial: parameters, attempts, every epoch'],
    ['export last -f csv', 'everything, for a spreadsheet or a notebook'],
  ] as const;
  const lines = steps.map(([verb, about]) => [`${TRAWL} ${verb} --dir ${dir}`, about] as const);
  const width = Math.max(...lines.map(([line]) => line.length));
  return [
    `Everything is kept in ${dir}. Next:`,
    ...lines.map(([line, about]) => `  ${line.padEnd(width)}  ${about}`),
    '',
  ].join('\n');
}

/** Two coordinators cannot share a folder; the one at work is named. */
async function refuseSecond(dir: string): Promise<void> {
  const connection = await connectToCoordinatorOf(dir);
  if (connection === undefined) return;
  await connection.close();
  throw new RefusedError(
    `a coordinator (${connection.address}) is at work on ${dir}: submit to it with "trawl submit FILE --server ` +
      `${connection.address}", or give this sweep a folder of its own with --dir`,
  );
}

/** The first Ctrl-C (or SIGTERM) ends the sweep's processes in order; the second leaves at once. */
function onInterrupt(): { signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const listener = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    note('stopping: what is finished is kept (again: at once)');
    controller.abort();
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return {
    signal: controller.signal,
    done() {
      process.off('SIGINT', listener);
      process.off('SIGTERM', listener);
    },
  };
}

export function registerUp(program: Command): void {
  const command = program
    .command('up')
    .description('run a sweep on this machine: NATS server, coordinator, agent and dashboard, all in one')
    .argument('<file>', 'sweep file, YAML or JSON');
  withSlots(command)
    .option('--dir <dir>', 'where everything is kept; the same folder and file go on where they were', DEFAULT_DIR)
    .option('--data <dir>', 'cache of data sets (default: ~/.cache/trawl/datasets)')
    .option('--workdir <dir>', "where the sweep's own program runs", '.')
    .option('--require-gpu', 'refuse to train on the CPU')
    .addOption(packOption())
    .option('--log-level <level>', 'of the logs kept in the folder', 'info');
  withHelp(withOutput(command), {
    remote: false,
    examples: [
      ['trawl up examples/mnist-demo.yaml', 'sweep, and watch'],
      ['trawl up sweep.yaml --slots-per-gpu 4', 'four trials at a time on each GPU'],
      ['trawl up sweep.yaml --slots 2 --dir runs/a -o json', 'one JSON object at the end, for scripts'],
    ],
    exits: [
      [0, 'ended, and every trial succeeded'],
      [1, 'ended with failed or cancelled trials'],
      [3, 'nats-server could not be had, or a part could not be kept running'],
      [4, 'refused: a coordinator is at work on the folder'],
      [130, 'interrupted; everything is kept, and the same command goes on'],
    ],
  }).action((file: string, _options: Options, self: Command) => up(file, self.optsWithGlobals<Options>()));
}
