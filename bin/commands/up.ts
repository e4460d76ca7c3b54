import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { machineMemoryBytes } from '../../agent/machine/memory.ts';
import { requireFittingSlots, slotCount } from '../../agent/machine/slots.ts';
import { DEFAULT_DIR } from '../../coordinator/app/defaults.ts';
import { samplerProblem } from '../../coordinator/app/sampler-problem.ts';
import { plan } from '../../coordinator/grid/plan.ts';
import { DEFAULT_PYTHON, startSampler } from '../../coordinator/search/optuna/process.ts';
import { deferredSource } from '../../dashboard/deferred-source.ts';
import { lineStream } from '../../dashboard/lines.ts';
import type { DashboardResult } from '../../dashboard/main.tsx';
import type { Source } from '../../dashboard/source.ts';
import { StartProgress } from '../../dashboard/state/start-progress.ts';
import { endedByTarget } from '../../lib/domain/target.ts';
import { isPausedAndIdle, sweepEnded } from '../../lib/domain/trial-state.ts';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { requireExistingFolder, requireFolder } from '../../lib/files/folder.ts';
import { keepFilesPrivate } from '../../lib/files/private-files.ts';
import { withResolvers } from '../../lib/net/within.ts';
import { countText } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { EXIT, RejectedError } from '../../proto/errors.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { codeFolderOf, withPackedCode } from '../client/code.ts';
import { type Connection, connectToCoordinatorOf, withConnection } from '../client/connect.ts';
import { followPauses, pauseText } from '../client/pauses.ts';
import { getSweep, listTrials, retryTrials } from '../client/sweeps.ts';
import { outageNotes, watchSweep } from '../client/watch.ts';
import { startLocalCluster } from '../local/local-cluster.ts';
import { offerNewVersion } from '../local/offer-new-version.ts';
import { resumeOrSubmit } from '../local/resume-or-submit.ts';
import { type GlobalOptions, type OutputOptions, withAuth, withHelp, withOutput } from '../options/common.ts';
import { parseRetriedFailures, type RetriedFailures } from '../options/retry.ts';
import { packOption, type SlotOptions, withSlots } from '../options/slots.ts';
import { type LoadedSweepFile, loadSweepFile } from '../options/sweep-file.ts';
import { pathOption } from '../options/values.ts';
import { closingRanking } from '../output/closing-ranking.ts';
import { noteCode } from '../output/code.ts';
import { sweepJson, trialJson } from '../output/json.ts';
import { planText, populationText } from '../output/plan-text.ts';
import { holdNotes, note, print, printJson } from '../output/print.ts';
import { noteEffectWarnings, noteProgramWarnings } from '../output/program-warnings.ts';
import { repeated, suggested } from '../output/suggested.ts';
import { isInteractive, resultTerminal } from '../output/terminal.ts';
import { WarningNotes } from '../output/warnings.ts';
import { coordinatorSource } from '../top/coordinator-source.ts';
import { hasKittyGraphics, onTerminal, terminalLook } from '../top/terminal.ts';

interface Options extends GlobalOptions, OutputOptions, SlotOptions {
  readonly dir: string;
  readonly data?: string;
  readonly workdir: string;
  readonly requireGpu?: true;
  readonly pack: number | 'auto';
  readonly logLevel: string;
  readonly auth: boolean;
  readonly retry?: RetriedFailures;
  readonly new?: true;
  readonly artifacts?: string;
}

const PATIENCE_MS = 120_000;

async function up(fileName: string, options: Options): Promise<void> {
  keepFilesPrivate();
  const file = await loadSweepFile(fileName);
  requireFittingSlots(options.slots, machineMemoryBytes());
  // With too many slots, the agent does not start. Without this check, only the agent's log would contain the reason.
  if (options.slotsPerGpu !== undefined) await requireGpuSlots(options);
  requireExistingFolder('--workdir', options.workdir);
  if (options.data !== undefined) requireFolder('--data', options.data);
  requireFolder('--dir', options.dir);
  await requireUnusedFolder(options.dir);
  noteEffectWarnings(file.spec);
  await checkSampler(file, options.dir);
  if (!options.new) await offerNewVersion(options.dir, file);
  // The code folder is listed before the processes start, so that an unusable folder is reported at once.
  await noteProgramWarnings(file, options.workdir, await codeFolderOf(file));
  const interrupt = onInterrupt();
  const screen = options.output !== 'json' && isInteractive() ? openScreen(file, options, interrupt.signal) : undefined;
  try {
    const cluster = await startLocalCluster({
      dir: options.dir,
      natsUrl: process.env.TRAWL_NATS || undefined,
      slots: options,
      dataDir: options.data,
      workdir: options.workdir,
      requireGpu: options.requireGpu ?? false,
      pack: options.pack,
      logLevel: options.logLevel,
      requireToken: options.auth,
      artifacts: options.artifacts,
      report: note,
      onStep: (step) => screen?.report(step),
    });
    try {
      await withConnection({ server: cluster.address, identity: false, tokenFile: cluster.tokenFile }, (connection) =>
        Promise.race([run(connection, file, options, screen, interrupt.signal), cluster.broken]),
      );
    } finally {
      await cluster.stop();
    }
  } catch (error) {
    await screen?.fail(error);
    throw error;
  } finally {
    interrupt.done();
  }
}

/**
 * Checks the sampler of a sweep before the processes start. If the folder already has a store, a problem is only a
 * warning: the store may already contain this sweep, and the sweep may need no further suggestions from the sampler.
 * @throws {RejectedError} if the sampler cannot run
 */
async function checkSampler({ spec }: LoadedSweepFile, dir: string): Promise<void> {
  const problem = await samplerProblem(spec, { python: DEFAULT_PYTHON, start: startSampler });
  if (problem === undefined) return;
  if (!existsSync(join(dir, STORE_FILE))) throw new RejectedError(`method optuna: ${problem}`);
  note(`warning: method optuna: ${problem}`);
}

/** The dashboard of `trawl up`, which opens before the processes start. */
interface UpScreen {
  /** Shows the process or step that starts next. */
  readonly report: (step: string) => void;
  /** Shows a sweep until the sweep ends, or until the user quits. */
  readonly show: (connection: Connection, sweepId: string) => Promise<DashboardResult>;
  /** Closes the dashboard because of an error. */
  readonly fail: (error: unknown) => Promise<void>;
}

function openScreen({ spec }: LoadedSweepFile, options: Options, signal: AbortSignal): UpScreen {
  const facts = { code: undefined, warnings: [], estimate: undefined };
  const terminal = { ...resultTerminal(options), color: false };
  const progress = new StartProgress(planText(plan(spec), spec, facts, terminal).trimEnd().split('\n'));
  const releaseNotes = holdNotes(progress.report);
  const { promise: ready, resolve, reject } = withResolvers<Source>();
  const failed = new AbortController();
  ready.catch(() => {});
  const closed = onTerminal(deferredSource(ready), {
    sweep: OWN_SWEEP,
    style: terminalLook(options, process.stdout, process.env),
    kitty: hasKittyGraphics(process.env),
    endWithSweep: true,
    onInterrupt: () => process.kill(process.pid, 'SIGINT'),
    signal: AbortSignal.any([signal, failed.signal]),
    progress,
  }).finally(releaseNotes);
  closed.catch(() => {});
  return {
    report: progress.report,
    show: (connection, sweepId) => {
      const source = coordinatorSource(connection, PATIENCE_MS);
      resolve({ ...source, find: async (name) => (name === OWN_SWEEP ? sweepId : source.find(name)) });
      return closed;
    },
    async fail(error) {
      reject(error);
      failed.abort();
      await closed.catch(() => {});
    },
  };
}

/**
 * The selector of the sweep that `up` runs. The dashboard uses this selector, because it opens before the sweep has an
 * id. The name of a sweep is never empty, so the selector matches no other sweep.
 */
const OWN_SWEEP = '';

/**
 * Runs the sweep of the file until the sweep ends or Ctrl-C is pressed, and prints the results. Without a terminal,
 * also returns when the sweep is paused and has no running trials.
 */
async function run(
  connection: Connection,
  file: LoadedSweepFile,
  options: Options,
  screen: UpScreen | undefined,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = performance.now();
  screen?.report('submitting the sweep');
  const { id } = await withPackedCode(file, (code) => {
    if (code !== undefined) noteCode(code);
    return resumeOrSubmit(connection, file, code, note, options.dir);
  });
  const population = populationText(file.spec);
  if (screen === undefined && population !== undefined) note(`sweep ${id} trains a population (${population})`);
  if (options.retry !== undefined) {
    const { retried } = await retryTrials(connection, { sweep: id, ...options.retry });
    note(`${countText(retried, 'failed trial')} of sweep ${id} will be retried`);
  }
  const warnings = new WarningNotes(note);
  await follow(connection, id, warnings, options, screen, signal);
  const { sweep } = await getSweep(connection, id);
  warnings.take(sweep);
  const wallSeconds = Math.round(performance.now() - startedMs) / 1000;
  const isPaused = !signal.aborted && isPausedAndIdle(sweep);
  if (isPaused) process.exitCode = EXIT.failedTrials;
  else if (!sweepEnded(sweep)) process.exitCode = EXIT.interrupted;
  else if (sweep.counts?.failed || (sweep.counts?.cancelled && !endedByTarget(sweep)))
    process.exitCode = EXIT.failedTrials;
  await printResults(connection, sweep, wallSeconds, options);
  const command = repeated(process.argv.slice(2), '--retry');
  if (isPaused) note(`${pauseText(sweep)}; correct the cause, and resume the sweep with: ${command}`);
  else if (!sweepEnded(sweep)) note(`interrupted; resume with: ${command}`);
}

/**
 * Shows the sweep until the sweep ends or the signal is aborted. The sweep is shown in the dashboard (`screen`).
 * Without a dashboard, or after the user has closed it, the function prints one line per event. Without a terminal, the
 * function also returns when the sweep is paused and has no running trials.
 */
async function follow(
  connection: Connection,
  id: string,
  warnings: WarningNotes,
  options: Options,
  screen: UpScreen | undefined,
  signal: AbortSignal,
): Promise<void> {
  const updates = () =>
    watchSweep(connection, id, {
      patienceMs: PATIENCE_MS,
      signal,
      ...outageNotes(connection),
    });
  const attended = isInteractive();
  if (screen !== undefined) {
    const result = await screen.show(connection, id);
    if (result === 'ended' || signal.aborted) return;
    note('the sweep continues; press Ctrl-C to interrupt it');
  }
  const onPause = (sweep: Sweep) => {
    if (!attended && isPausedAndIdle(sweep)) return;
    const next = attended
      ? `resume it with: ${suggested(`resume ${sweep.id}`, options)}`
      : 'this command exits when no trial is running';
    note(`${pauseText(sweep)}; ${next}`);
  };
  const followed = followPauses(updates(), { endWhenHalted: !attended, onPause });
  for await (const line of lineStream(withWarnings(followed, warnings))) {
    if (options.output === 'json') process.stderr.write(`${line}\n`);
    else await print(`${line}\n`);
  }
}

/** Yields the updates unchanged, and prints each warning of the sweep once. */
async function* withWarnings(
  updates: AsyncIterable<WatchResponse>,
  warnings: WarningNotes,
): AsyncGenerator<WatchResponse> {
  for await (const response of updates) {
    const { update } = response;
    const sweep = update?.$case === 'snapshot' ? update.snapshot.sweep : update?.delta.sweep;
    if (sweep !== undefined) warnings.take(sweep);
    yield response;
  }
}

async function printResults(
  connection: Connection,
  sweep: Sweep,
  wallSeconds: number,
  options: Options,
): Promise<void> {
  const trials = await listTrials(connection, { sweep: sweep.id });
  if (options.output === 'json') {
    const { trials: total, ...rest } = sweepJson(sweep);
    await printJson({ ...rest, total, wall_seconds: wallSeconds, dir: options.dir, trials: trials.map(trialJson) });
  } else {
    const terminal = resultTerminal(options);
    await print(`\n${closingRanking(sweep, trials, terminal)}\n${nextSteps(options.dir, trials)}`);
  }
}

function nextSteps(dir: string, trials: readonly Trial[]): string {
  const best = trials[0];
  const steps = [
    ['best last', 'show the best configs'],
    [
      `show ${best === undefined ? 'last' : shortId(best.id)}`,
      'show a trial: parameters, attempts, and metrics by epoch',
    ],
    ['export last -f csv', 'export all trials for a spreadsheet or a notebook'],
  ] as const;
  const lines = steps.map(([verb, about]) => [suggested(verb, { dir }), about] as const);
  const width = Math.max(...lines.map(([line]) => line.length));
  return [
    `Results are in ${dir}. Next steps:`,
    ...lines.map(([line, about]) => `  ${line.padEnd(width)}  ${about}`),
    '',
  ].join('\n');
}

/** @throws {BadInputError | RejectedError} if this machine cannot have the requested number of slots per GPU */
async function requireGpuSlots({ slots, slotsPerGpu }: Options): Promise<void> {
  const { listGpus } = await import('../../agent/machine/gpus.ts');
  const total = slotCount({ slots, slotsPerGpu }, (await listGpus()).length, 1);
  requireFittingSlots(total, machineMemoryBytes());
}

/** @throws {RejectedError} when a coordinator already uses the folder */
async function requireUnusedFolder(dir: string): Promise<void> {
  const connection = await connectToCoordinatorOf(dir);
  if (connection === undefined) return;
  await connection.close();
  throw new RejectedError(
    `a coordinator (${connection.address}) already uses ${dir}: submit to it with "${suggested('submit FILE', { dir })}", ` +
      'or use another folder with --dir',
  );
}

function onInterrupt(): { signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const listener = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    note('stopping; all results are kept (press Ctrl-C again to exit now)');
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
    .description('run a sweep on this machine, with its own NATS server, coordinator, agent and dashboard')
    .argument('<file>', 'sweep file, YAML or JSON');
  withSlots(command)
    .option(
      '--dir <dir>',
      'data folder; to resume an interrupted sweep, use the same folder and sweep file',
      pathOption,
      DEFAULT_DIR,
    )
    .option('--data <dir>', 'data set cache (default: the same as for "trawl data")', pathOption)
    .option('--workdir <dir>', 'working directory of user programs', pathOption, '.')
    .option('--require-gpu', 'fail instead of training on the CPU')
    .option('--artifacts <s3-url>', 'keep artifacts in an S3-compatible store (see "trawl coordinator --help")')
    .option('--new', 'run an edited file as a new sweep; do not offer to apply it to the earlier sweep')
    .option(
      '--retry <failures>',
      'before the run, retry failed trials of an earlier run: "failed" for all, or failure classes such as oom,lost',
      parseRetriedFailures,
    )
    .addOption(packOption())
    .option('--log-level <level>', 'minimum level of the logs in the data folder', 'info');
  withAuth(command, 'each call and /metrics');
  withHelp(withOutput(command), {
    remote: false,
    examples: [
      ['trawl up examples/mnist-demo.yaml', 'run a sweep and watch it'],
      ['trawl up sweep.yaml --slots-per-gpu 4', 'run four trials at a time on each GPU'],
      ['trawl up sweep.yaml --retry failed', 'continue the sweep, and run its failed trials again'],
      ['trawl up sweep.yaml --slots 2 --dir runs/a -o json', 'print the results as JSON at the end'],
    ],
    exits: [
      [
        0,
        'the sweep ended, and no trial failed or was cancelled (trials cancelled because of the target do not count)',
      ],
      [
        1,
        'trials failed, or trials were cancelled and no trial reached a target; without a terminal, also if the sweep was paused',
      ],
      [2, 'invalid input or usage; without a terminal, also if the file is an edited version of a sweep of the folder'],
      [3, 'nats-server is not available, or a process kept failing'],
      [4, 'rejected: a coordinator already uses the data folder'],
      [130, 'interrupted; the same command resumes the sweep'],
    ],
  }).action((file: string, _options: Options, self: Command) => up(file, self.optsWithGlobals<Options>()));
}
