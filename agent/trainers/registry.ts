/** The built-in trainers by the name that a sweep file uses. */
import type { TrainerName } from '../../proto/trainers.ts';
import { command } from './command/run.ts';
import { noop } from './noop.ts';
import type { Trainer } from './trainer.ts';

const trainers: Readonly<Record<TrainerName, Trainer>> = {
  // Loaded on first use: TensorFlow.js takes a moment that a no-op trial should not pay.
  autoencoder: {
    run: async (run) => (await import('./autoencoder/train.ts')).autoencoder(run),
    pack: (runs) => {
      const ends = import('./autoencoder/train.ts').then(({ autoencoderPack }) => autoencoderPack(runs));
      return runs.map(async (_, at) => (await ends)[at]);
    },
  },
  command: { run: (run) => command(run) },
  noop: { run: noop, pack: (runs) => runs.map(noop) },
};

/** Looks a trainer up; undefined when this agent has none of that name. */
export function trainerNamed(name: string): Trainer | undefined {
  return Object.hasOwn(trainers, name) ? trainers[name as TrainerName] : undefined;
}

/** What this agent can train with. */
export function trainerNames(): readonly string[] {
  return Object.keys(trainers);
}
