import { once } from 'node:events';
import { type ServerDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { ArtifactServiceClient } from '../../proto/gen/trawl/v1/artifact_service.ts';
import {
  AttemptServiceClient,
  AttemptServiceService,
  type OpenResponse,
  type ReportRequest,
  type ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { SweepServiceClient } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { LEADER_HEADER } from '../../proto/leader-header.ts';
import { INSECURE } from '../../test/support/coordinator/serve.ts';
import { listen } from './listener.ts';
import { Health, newServer, SERVICES } from './server.ts';
import { addStandbyServices, CertaintyGate, UNCERTAIN_TEXT } from './standby-service.ts';

async function serveStandby(leader: () => string, isCertain = () => true): Promise<string> {
  const server = newServer([new CertaintyGate(isCertain).interceptor]);
  new Health(server, SERVICES);
  addStandbyServices(server, SERVICES, leader);
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => {
    server.forceShutdown();
    listener.close();
  });
  return `${listener.host}:${listener.port}`;
}

const headerOf = (error: ServiceError | null) => error?.metadata.get(LEADER_HEADER);

test('a standby answers each kind of call with the address of the leader', async () => {
  let leader = 'gpu-1:7070';
  const address = await serveStandby(() => leader);
  const sweeps = new SweepServiceClient(address, INSECURE);
  const attempts = new AttemptServiceClient(address, INSECURE);
  const artifacts = new ArtifactServiceClient(address, INSECURE);
  onTestFinished(() => {
    for (const client of [sweeps, attempts, artifacts]) client.close();
  });
  const unary = () =>
    new Promise<ServiceError | null>((resolve) => void sweeps.listSweeps({}, (error) => resolve(error)));
  const failure = (call: NodeJS.EventEmitter) =>
    new Promise<ServiceError>((resolve) =>
      call.on('error', (error: ServiceError) => resolve(error)).on('data', () => {}),
    );
  for (const ended of [
    unary(),
    failure(sweeps.watch({ sweep: '1', sinceEventSeq: 0 })),
    failure(attempts.report()),
    failure(artifacts.put()),
  ]) {
    const error = await ended;
    expect(error).toMatchObject({
      code: status.UNAVAILABLE,
      details: 'this coordinator stands by; the coordinator at gpu-1:7070 leads',
    });
    expect(headerOf(error)).toEqual(['gpu-1:7070']);
  }
  leader = '';
  const error = await unary();
  expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'this coordinator stands by' });
  expect(headerOf(error)).toEqual(['']);
});

test('a leader that may have lost its leadership rejects calls', async () => {
  let isCertain = false;
  const address = await serveStandby(
    () => 'gpu-1:7070',
    () => isCertain,
  );
  const client = new SweepServiceClient(address, INSECURE);
  onTestFinished(() => client.close());
  const call = () =>
    new Promise<ServiceError | null>((resolve) => void client.listSweeps({}, (error) => resolve(error)));
  const error = await call();
  expect(error).toMatchObject({ code: status.UNAVAILABLE, details: UNCERTAIN_TEXT });
  expect(headerOf(error)).toEqual(['']);
  isCertain = true;
  expect(headerOf(await call())).toEqual(['gpu-1:7070']);
});

test('when the term of a leader may have expired, calls in progress fail; new calls succeed once the leader is certain again', async () => {
  const gate = new CertaintyGate(() => true);
  const server = newServer([gate.interceptor]);
  server.addService(AttemptServiceService, {
    open: (_call: unknown, callback: (error: null, answer: OpenResponse) => void) =>
      callback(null, { decisions: [], leaderEpoch: 3 }),
    report: (call: ServerDuplexStream<ReportRequest, ReportResponse>) =>
      void call.write({ message: { $case: 'ack', ack: { key: undefined, seq: 1 } } }),
  });
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  const client = new AttemptServiceClient(`127.0.0.1:${listener.port}`, INSECURE);
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
    listener.close();
  });
  const stream = client.report();
  const failed = once(stream, 'error');
  await once(stream, 'data');
  gate.endCalls();
  expect((await failed)[0]).toMatchObject({ code: status.UNAVAILABLE, details: UNCERTAIN_TEXT });
  const answer = await new Promise((resolve, reject) => {
    client.open({ agentId: 'a', incarnation: 'a1', claims: [] }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
  expect(answer).toMatchObject({ leaderEpoch: 3 });
  gate.endCalls();
});
