import { expect, test } from 'vitest';
import { TRAINERS } from '../../proto/trainers.ts';
import { trainerNamed } from './registry.ts';

test('there is a trainer for every name in proto/trainers.ts, and for no other name', () => {
  for (const name of Object.keys(TRAINERS)) expect(trainerNamed(name)?.run).toBeTypeOf('function');
  expect(trainerNamed('autoencoders')).toBeUndefined();
  expect(trainerNamed('constructor')).toBeUndefined();
});
