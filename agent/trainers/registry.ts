/** The built-in trainers, by the names that sweep files use. */
import type { TrainerName } from '../../proto/trainers.ts';
import { command } from './command/run.ts';
import { noop } from './noop.ts';
import type { Trainer } from './trainer.ts';

const trainers: Readonly<Record<TrainerName, Trainer>> = {
  // The module is loaded on first use, because the supervisor needs only the names, and should not load TensorFlow.js.
  autoencoder: {
    needsBackend: true,
    run: async (run) => (await import('./autoencoder/train.ts')).autoencoder(run),
    pack: (runs) => {
      const results = import('./autoencoder/train.ts').then(({ autoencoderPack }) => autoencoderPack(runs));
      return runs.map(async (_, at) => (await results)[at]);
    },
  },
  command: { run: command },
  noop: { run: noop, pack: (runs) => runs.map(noop) },
};

/** Returns the trainer with the given name; undefined if the agent has no such trainer. */
export function trainerNamed(name: string): Trainer | undefined {
  return Object.hasOwn(trainers, name) ? trainers[name as TrainerName] : undefined;
}

/** Returns the names of the agent's trainers. */
export function trainerNames(): readonly string[] {
  return Object.keys(trainers);
}
