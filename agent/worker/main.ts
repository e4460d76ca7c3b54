/** A worker process: loads a backend, then runs one attempt, or one pack of them, at a time. Dies with its supervisor. */
import { isDiskFull } from '../../proto/errors.ts';
import { workFolder } from '../attempt-folder.ts';
import { onDatasetUse } from '../data/use.ts';
import { chooseBackend, forcedBackend } from '../machine/backend.ts';
import { packSize } from '../machine/pack-size.ts';
import { openFirstSession } from '../trainers/autoencoder/native-session.ts';
import { trainerNamed } from '../trainers/registry.ts';
import { type AttemptName, TrainingError, type TrainingRun } from '../trainers/trainer.ts';
import type { Assignment, FromAttempt, FromWorker, ToWorker, WorkerSetup } from './ipc.ts';
import { keeper } from './keep.ts';

const setup = JSON.parse(process.argv[2] ?? '{}') as WorkerSetup;
const stopping = new Map<string, AbortController>();

onDatasetUse((use) => send({ kind: 'dataset', use }));
process.on('disconnect', () => process.exit(0));
// A Ctrl-C in the terminal reaches the whole group, and a service manager's SIGTERM may: the supervisor decides when its
// workers end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('message', (message: ToWorker) => {
  if (message.kind === 'run') void runAll(message.assignments);
  else {
    const controller = stopping.get(nameOf(message.key));
    if (controller === undefined) say(message.key, { kind: 'stopped' });
    else controller.abort(new Error('the attempt was stopped'));
  }
});

try {
  const forced = forcedBackend(process.env);
  const backend = await chooseBackend({ requireGpu: setup.requireGpu, gpus: setup.gpus, forced });
  openFirstSession();
  send({ kind: 'ready', backend: backend.name, pack: await packSize(setup.pack, backend.name, setup.gpuSharedBy) });
} catch (error) {
  send({ kind: 'unfit', message: messageOf(error) });
  process.disconnect();
}

/** Each attempt comes to its own end, whatever becomes of the others. */
async function runAll(assignments: readonly Assignment[]): Promise<void> {
  const runs = assignments.map(runOf);
  const ends = trained(assignments[0]?.trainer ?? '', runs);
  await Promise.all(runs.map((run, at) => settle(run, ends[at] ?? Promise.resolve())));
}

function trained(name: string, runs: readonly TrainingRun[]): readonly Promise<void>[] {
  const trainer = trainerNamed(name);
  const [run, ...mates] = runs;
  if (trainer !== undefined && run !== undefined && mates.length === 0) return [trainer.run(run)];
  if (trainer?.pack !== undefined) return trainer.pack(runs);
  const wanted = trainer === undefined ? 'trainer' : 'trainer of packs';
  return runs.map(async () => {
    throw new TrainingError('rejected', `this agent has no ${wanted} ${JSON.stringify(name)}`);
  });
}

function runOf({ trainer: _, folder, ...assignment }: Assignment): TrainingRun {
  const { key } = assignment;
  const controller = new AbortController();
  stopping.set(nameOf(key), controller);
  return {
    ...assignment,
    dir: workFolder(folder),
    dataDir: setup.dataDir,
    workdir: setup.workdir,
    signal: controller.signal,
    report: (epoch, metrics) => say(key, { kind: 'report', epoch, metrics }),
    keep: keeper(folder, (artifact) => say(key, { kind: 'artifact', artifact })),
  };
}

async function settle({ key, signal }: TrainingRun, end: Promise<void>): Promise<void> {
  try {
    await end;
    // Every stop is answered by `stopped`, also one that came too late to stop anything.
    say(key, { kind: signal.aborted ? 'stopped' : 'done' });
  } catch (error) {
    say(key, signal.aborted ? { kind: 'stopped' } : failureOf(error));
  } finally {
    stopping.delete(nameOf(key));
  }
}

function nameOf({ sweepId, trialId, attempt }: AttemptName): string {
  return `${sweepId}/${trialId}/${attempt}`;
}

function failureOf(error: unknown): FromAttempt {
  if (error instanceof TrainingError) return { kind: 'failed', class: error.failureClass, message: error.message };
  console.error(error);
  if (isDiskFull(error))
    return { kind: 'failed', class: 'preflight', message: `the agent's disk is full: ${messageOf(error)}` };
  return { kind: 'failed', class: 'crash', message: messageOf(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`;
}

function say(key: AttemptName, message: FromAttempt): void {
  send({ key, ...message });
}

function send(message: FromWorker): void {
  process.send?.(message);
}
