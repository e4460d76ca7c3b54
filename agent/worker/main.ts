/** A worker process: loads a backend, then runs one attempt at a time. Dies with its supervisor. */
import { workFolder } from '../attempt-folder.ts';
import { chooseBackend } from '../machine/backend.ts';
import { trainerNamed } from '../trainers/registry.ts';
import { TrainingError } from '../trainers/trainer.ts';
import type { Assignment, FromWorker, ToWorker, WorkerSetup } from './ipc.ts';
import { keeper } from './keep.ts';

const setup = JSON.parse(process.argv[2] ?? '{}') as WorkerSetup;
let stopping: AbortController | undefined;

process.on('disconnect', () => process.exit(0));
// A Ctrl-C in the terminal reaches the whole group: the supervisor decides when its workers end.
process.on('SIGINT', () => {});
process.on('message', (message: ToWorker) => {
  if (message.kind === 'run') void run(message.assignment);
  else if (stopping === undefined) say({ kind: 'stopped' });
  else stopping.abort(new Error('the attempt was stopped'));
});

try {
  const backend = await chooseBackend({ requireGpu: setup.requireGpu, gpus: setup.gpus });
  say({ kind: 'ready', backend: backend.name });
} catch (error) {
  say({ kind: 'unfit', message: messageOf(error) });
  process.disconnect();
}

async function run({ trainer: name, folder, ...assignment }: Assignment): Promise<void> {
  const controller = new AbortController();
  stopping = controller;
  try {
    const trainer = trainerNamed(name);
    if (trainer === undefined) throw new TrainingError('rejected', `this agent has no trainer ${JSON.stringify(name)}`);
    await trainer({
      ...assignment,
      dir: workFolder(folder),
      dataDir: setup.dataDir,
      workdir: setup.workdir,
      signal: controller.signal,
      report: (epoch, metrics) => say({ kind: 'report', epoch, metrics }),
      keep: keeper(folder, (artifact) => say({ kind: 'artifact', artifact })),
    });
    // Every stop is answered by `stopped`, also one that came too late to stop anything.
    say({ kind: controller.signal.aborted ? 'stopped' : 'done' });
  } catch (error) {
    if (controller.signal.aborted) say({ kind: 'stopped' });
    else say(failureOf(error));
  } finally {
    stopping = undefined;
  }
}

function failureOf(error: unknown): FromWorker {
  if (error instanceof TrainingError) return { kind: 'failed', class: error.failureClass, message: error.message };
  console.error(error);
  return { kind: 'failed', class: 'crash', message: messageOf(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`;
}

function say(message: FromWorker): void {
  process.send?.(message);
}
