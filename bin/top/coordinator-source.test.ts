import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { Attempt } from '../../proto/gen/trawl/v1/types.ts';
import { serveCanned } from '../../test/support/cli/canned-service.ts';
import { connect } from '../client/connect.ts';
import { coordinatorSource } from './coordinator-source.ts';

test('after a takeover, the log of a trial continues with the same attempt, even if a newer attempt runs', async () => {
  const attempts = [Attempt.fromPartial({ number: 1 }), Attempt.fromPartial({ number: 2 })];
  const read: number[] = [];
  const { address, stop } = await serveCanned({
    getTrial: (_call, callback) =>
      callback(null, { trial: undefined, attempts, artifacts: [], programs: [], rungs: [] }),
    async readLog(call) {
      read.push(call.request.attempt);
      call.write({ text: 'epoch 1\n' });
      if (read.length > 1) {
        call.write({ text: 'epoch 2\n' });
        return call.end();
      }
      attempts.push(Attempt.fromPartial({ number: 3 }));
      // The client receives the message before the end of the connection.
      await sleep(50);
      call.emit('error', { code: status.UNAVAILABLE, details: 'Connection dropped' });
    },
  });
  onTestFinished(stop);
  // Two names of the same server, so that the client assumes that there are several coordinators.
  const server = `${address},${address.replace('127.0.0.1', 'localhost')}`;
  const connection = await connect({ server, identity: false });
  onTestFinished(() => connection.close());
  let text = '';
  const { signal } = new AbortController();
  for await (const chunk of coordinatorSource(connection, 1_000).log('7', 'a', signal)) text += chunk;
  expect([text, read]).toEqual(['epoch 1\nepoch 2\n', [2, 2]]);
});
