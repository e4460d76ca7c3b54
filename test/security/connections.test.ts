import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MAX_CONNECTIONS } from '../../coordinator/transport/limits.ts';
import { parseAddress } from '../../lib/net/address.ts';
import { Cluster } from '../support/cluster.ts';
import { testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

test('a user without the token cannot lock out the owner by using up the connections of a coordinator', {
  timeout: 120_000,
}, async () => {
  const cluster = await Cluster.start(testFolder());
  await cluster.startAgent('honest', 1);
  await until('the agent has joined', async () => (await cluster.agents()).length > 0);
  const { host, port } = parseAddress(cluster.address, 'the coordinator');
  const sockets = Array.from({ length: MAX_CONNECTIONS + 100 }, () => connect(port, host).on('error', () => {}));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)));
  for (let call = 0; call < 3; call++) expect(await cluster.run('ls')).toMatchObject({ code: 0, stderr: '' });
  // The connection of the agent stays open, because it is older than the connections of the other user.
  expect(await cluster.json('agents')).toMatchObject([{ agent: 'honest', state: 'connected' }]);
});
