/**
 * A worker process: trains one attempt or pack at a time, or runs several programs at the same time. The worker loads a
 * TensorFlow.js backend at its start or, with `loadsOnDemand`, before its first attempt that needs one. The worker exits
 * when its supervisor exits.
 */
import { existsSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { isDiskFull } from '../../proto/errors.ts';
import { parameterValue } from '../../proto/values.ts';
import { onDatasetUse } from '../data/cache.ts';
import { workFolder } from '../folders.ts';
import type { BackendName } from '../machine/backend.ts';
import { packSize } from '../machine/slots.ts';
import { trainerNamed } from '../trainers/registry.ts';
import { type AttemptLog, StoppedByRule, TrainingError, type TrainingRun } from '../trainers/trainer.ts';
import { artifactKeeper } from './artifact-keeper.ts';
import type { Assignment, FromAttempt, FromWorker, ToWorker, WorkerSetup } from './ipc.ts';

/** See `WorkerSetup`. */
const MAX_LOAD_FAILURE_AGE_S = 60;

/**
 * The output of programs is not read while more than this number of characters of log text waits to be sent to the
 * supervisor.
 */
const MAX_UNSENT_CHARACTERS = 2 ** 20;

const setup = JSON.parse(process.argv[2] ?? '{}') as WorkerSetup;
/**
 * The environment of users' programs. The copy does not contain variables that are set when a backend is loaded. Also,
 * `process.env` is slow to read.
 */
const environment = { ...process.env };
const stopping = new Map<string, AbortController>();

onDatasetUse((use) => send({ kind: 'dataset', use }));
process.on('disconnect', () => process.exit(0));
// The worker ignores these signals. Ctrl-C and a service manager's SIGTERM reach the whole process group, but only the
// supervisor stops its workers.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'run':
      void runAll(message.assignments);
      break;
    case 'stop': {
      const controller = stopping.get(keyText(message.key));
      if (controller === undefined) report(message.key, { kind: 'stopped' });
      else controller.abort(message.keepFiles ? new StoppedByRule() : new Error('the attempt was stopped'));
      break;
    }
    case 'ping':
      send({ kind: 'pong' });
      break;
  }
});

let loading: Promise<BackendName> | undefined;

try {
  const backend = setup.loadsOnDemand === true ? 'wasm' : await loadedBackend();
  const warnings: string[] = [];
  const pack = await packSize(setup.pack, backend, setup.gpuSharedBy, (warning) => warnings.push(warning));
  send({ kind: 'ready', backend, pack, warnings });
} catch (error) {
  send({ kind: 'unfit', message: errorMessage(error) });
  process.disconnect();
}

function loadedBackend(): Promise<BackendName> {
  // The module is loaded on demand, because it loads TensorFlow.js, which users' programs and no-op trials do not need.
  loading ??= import('./backend.ts').then(({ loadBackend }) => loadBackend(setup));
  return loading;
}

/**
 * Loads the backend on demand, and returns the reason if the backend cannot be loaded. An old worker exits instead (see
 * `maxLoadFailureAgeS`). The supervisor then queues the attempts, which have not started, for the next worker.
 */
async function backendProblem(): Promise<TrainingError | undefined> {
  try {
    await loadedBackend();
    return undefined;
  } catch (error) {
    console.error(error);
    if (process.uptime() > (setup.maxLoadFailureAgeS ?? MAX_LOAD_FAILURE_AGE_S)) process.exit(1);
    // The next attempt tries again, because the reason may be temporary.
    loading = undefined;
    const reason = errorMessage(error).replaceAll(/\s*\n\s*/g, ' ');
    return new TrainingError('preflight', `this agent cannot load its backend: ${reason}`, { cause: error });
  }
}

/** Runs one attempt or a pack. Each attempt of a pack ends independently of the others. */
async function runAll(assignments: readonly Assignment[]): Promise<void> {
  const name = assignments[0]?.trainer ?? '';
  // Created before the backend is loaded, so that attempts can be stopped during the load.
  const runs = assignments.map(runOf);
  const problem = trainerNamed(name)?.needsBackend === true ? await backendProblem() : undefined;
  if (setup.acceptsStarted === true) send({ kind: 'started', keys: assignments.map(({ key }) => key) });
  const results = problem === undefined ? train(name, runs) : runs.map(() => Promise.reject(problem));
  const mayPrint = name !== 'command' || setup.acceptsLogs !== true;
  await Promise.all(runs.map((run, at) => settle(run, results[at] ?? Promise.resolve(), mayPrint)));
}

function train(name: string, runs: readonly TrainingRun[]): readonly Promise<void>[] {
  const trainer = trainerNamed(name);
  const [run, ...mates] = runs;
  if (trainer !== undefined && run !== undefined && mates.length === 0) return [trainer.run(run)];
  if (trainer?.pack !== undefined) return trainer.pack(runs);
  const missing = trainer === undefined ? 'trainer' : 'pack trainer';
  return runs.map(async () => {
    throw new TrainingError('rejected', `this agent has no ${missing} ${JSON.stringify(name)}`);
  });
}

function runOf({ trainer: _, folder, parameters, ...assignment }: Assignment): TrainingRun {
  const { key } = assignment;
  const controller = new AbortController();
  stopping.set(keyText(key), controller);
  return {
    ...assignment,
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, parameterValue(value)])),
    dir: workFolder(folder),
    dataDir: setup.dataDir,
    workdir: setup.workdir,
    environment,
    marker: setup.marker,
    signal: controller.signal,
    log: logOf(key),
    report: (epoch, metrics) => report(key, { kind: 'report', epoch, metrics }),
    started: (command, interpreter) => report(key, { kind: 'program', command, interpreter }),
    notice: (warning, message, count) => report(key, { kind: 'notice', warning, message, count }),
    keep: artifactKeeper(folder, (artifact) => report(key, { kind: 'artifact', artifact })),
  };
}

let unsentCharacters = 0;

function logOf(key: AttemptKey): AttemptLog {
  const text = setup.acceptsLogs === true ? (given: string) => sendLog(key, given) : printLog;
  return { text, note: (line) => void text(`[trawl] ${line}\n`) };
}

function sendLog(key: AttemptKey, text: string): Promise<void> | undefined {
  unsentCharacters += text.length;
  const message: FromWorker = { key, kind: 'log', text };
  const sent = new Promise<void>((resolve) => {
    process.send?.(message, undefined, {}, () => {
      unsentCharacters -= text.length;
      resolve();
    });
  });
  return unsentCharacters > MAX_UNSENT_CHARACTERS ? sent : undefined;
}

function printLog(text: string): undefined {
  process.stdout.write(text);
}

/** @param mayPrint whether the log of the attempt can contain output of this process */
async function settle({ key, signal, dir, log }: TrainingRun, result: Promise<void>, mayPrint: boolean): Promise<void> {
  const end = await result.then(
    (): FromAttempt => ({ kind: 'done' }),
    (error: unknown) => (signal.aborted ? { kind: 'stopped' as const } : failureOf(error, log)),
  );
  removeIfEmpty(dir);
  if (mayPrint) await Promise.all([process.stdout, process.stderr].map(flushed));
  report(key, signal.aborted ? { kind: 'stopped' } : end);
  stopping.delete(keyText(key));
}

/** Removes the folders of an attempt that left no files. If there are files, the supervisor removes them later. */
function removeIfEmpty(dir: string): void {
  if (!existsSync(dir)) return;
  try {
    rmdirSync(dir);
    rmdirSync(dirname(dir));
  } catch {
    // The folder contains files.
  }
}

/**
 * Resolves when all data written to the stream is in its pipe. All log output of an attempt must precede the message
 * that the attempt has ended.
 */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

function failureOf(error: unknown, log: AttemptLog): FromAttempt {
  if (error instanceof TrainingError) return { kind: 'failed', class: error.failureClass, message: error.message };
  void log.text(`${inspect(error)}\n`);
  if (isDiskFull(error))
    return { kind: 'failed', class: 'preflight', message: `the agent's disk is full: ${errorMessage(error)}` };
  return { kind: 'failed', class: 'crash', message: errorMessage(error) };
}

function report(key: AttemptKey, message: FromAttempt): void {
  send({ key, ...message });
}

function send(message: FromWorker): void {
  process.send?.(message);
}
