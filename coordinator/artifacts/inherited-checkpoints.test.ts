import { expect, onTestFinished, test } from 'vitest';
import { NotFoundError, UnreachableError } from '../../proto/errors.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import { type InheritedCheckpoint, InheritedCheckpoints } from './inherited-checkpoints.ts';

const CHECKPOINT: InheritedCheckpoint = {
  sweepId: '1',
  trialId: 'child',
  parent: 'parent',
  attempt: 2,
  name: 'checkpoint',
  size: 1,
  sha256: 'a'.repeat(64),
};
const PARENT = { sweepId: '1', trialId: 'parent', attempt: 2 };
const CHILD = { sweepId: '1', trialId: 'child', attempt: PARENT_ATTEMPT };

/**
 * Creates an `InheritedCheckpoints` that calls `share` to add a file to a child. Its warnings are collected in the
 * returned list.
 */
function checkpointsWith(share: () => Promise<void>) {
  const warnings: string[] = [];
  const checkpoints = new InheritedCheckpoints({ share }, { warn: (_, message) => warnings.push(message) });
  onTestFinished(() => checkpoints.close());
  return { checkpoints, warnings };
}

/** Returns whether the promise has resolved by the time a `setImmediate` callback runs. */
async function isResolved(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const later = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise, later])) !== pending;
}

test('while the artifact store fails, the checkpoint of a child stays pending, and the file of its parent is kept', async () => {
  let failures = 1;
  const { checkpoints, warnings } = checkpointsWith(async () => {
    if (failures-- > 0) throw new UnreachableError('the artifact store does not answer');
  });
  await checkpoints.add([CHECKPOINT]);
  expect(warnings).toEqual(["could not add a parent's checkpoint to its child; retrying"]);
  expect(checkpoints.isPending(CHILD, 'checkpoint')).toBe(true);
  const released = checkpoints.released(PARENT, 'checkpoint');
  expect(await isResolved(released)).toBe(false);
  expect(await isResolved(checkpoints.released({ ...PARENT, trialId: 'other' }, 'checkpoint'))).toBe(true);
  await released;
  expect(failures).toBe(-1);
  expect(checkpoints.isPending(CHILD, 'checkpoint')).toBe(false);
});

test('if the checkpoint of a parent is missing, adding it to the child is not retried', async () => {
  let tries = 0;
  const { checkpoints, warnings } = checkpointsWith(async () => {
    tries += 1;
    throw new NotFoundError('the file does not exist');
  });
  await checkpoints.add([CHECKPOINT]);
  await checkpoints.released(PARENT, 'checkpoint');
  expect(tries).toBe(1);
  expect(warnings).toEqual(["could not add a parent's checkpoint to its child"]);
});

test("when the coordinator stops, a parent's file is kept if a child still needs it", async () => {
  const { checkpoints } = checkpointsWith(async () => {
    throw new UnreachableError('the artifact store does not answer');
  });
  await checkpoints.add([CHECKPOINT]);
  checkpoints.close();
  expect(await isResolved(checkpoints.released(PARENT, 'checkpoint'))).toBe(false);
  expect(checkpoints.isPending(CHILD, 'checkpoint')).toBe(true);
});
