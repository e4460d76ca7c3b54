/** Tests authentication and authorization in the coordinator's gRPC services, on a real socket with TLS. */
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { revokeIdentity } from '../../bin/certs/authority.ts';
import { now } from '../../coordinator/app/runtime.ts';
import type { RejectionReason } from '../../coordinator/auth/rejections.ts';
import { onHello } from '../../coordinator/core/agents.ts';
import { onOpen } from '../../coordinator/core/attempts.ts';
import { channelTo } from '../../lib/net/channel.ts';
import { type Identity, readIdentity } from '../../lib/net/identity.ts';
import { ArtifactServiceClient, type PutRequest } from '../../proto/gen/trawl/v1/artifact_service.ts';
import {
  type AttemptKey,
  AttemptServiceClient,
  type Hello,
  type ProgramSpec,
  RefusalCode,
  WandbMode,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { CodeServiceClient } from '../../proto/gen/trawl/v1/code_service.ts';
import { SweepAction, SweepServiceClient } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { COORDINATOR } from '../../proto/subjects.ts';
import { agentHello } from '../support/coordinator/sample-core.ts';
import { newFolder, noopSweep, type Served, serve } from '../support/coordinator/serve.ts';
import { testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';
import { TestIdentities } from './identities.ts';

let identities: TestIdentities;
let served: Served;
let log: { reason?: string; name?: string; msg: string }[];

beforeEach(async () => {
  identities = await TestIdentities.init(join(testFolder(), 'certs'));
  log = [];
  const identity = readIdentity(identities.server, [COORDINATOR]);
  served = await serve(newFolder(), {
    secured: { identity, dir: identities.server },
    logTo: (line) => log.push(JSON.parse(line)),
  });
  onTestFinished(() => served.stop());
});

async function rejectionCount(reason: RejectionReason): Promise<number> {
  const { values } = await served.metrics.authRejected.get();
  return values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
}

/** Calls `attempt`, and checks that a rejection with the given reason is counted and logged. */
async function expectRejection(reason: RejectionReason, attempt: () => Promise<unknown>): Promise<void> {
  const before = await rejectionCount(reason);
  await attempt();
  await until(`a rejection for ${reason} is counted`, async () => (await rejectionCount(reason)) > before);
  expect(log.filter((line) => line.msg === 'rejected').map((line) => line.reason)).toContain(reason);
}

function sweeps(identity: Identity): SweepServiceClient {
  const { shown, options } = channelTo(served.address, identity);
  const client = new SweepServiceClient(served.address, shown, options);
  onTestFinished(() => client.close());
  return client;
}

type Call<Response> = (callback: (error: ServiceError | null, response: Response) => void) => void;

function answer<Response>(call: Call<Response>): Promise<Response | ServiceError> {
  return new Promise((resolve) => call((error, response) => resolve(error ?? response)));
}

const list = (client: SweepServiceClient) =>
  answer((callback) => client.listSweeps({}, new Metadata(), { deadline: Date.now() + 10_000 }, callback));
const submit = (client: SweepServiceClient) =>
  answer((callback) =>
    client.submit({ fileName: 's.yaml', text: noopSweep(2), requestId: 'r', source: undefined }, callback),
  );
const kill = (client: SweepServiceClient) =>
  answer((callback) =>
    client.controlSweep({ sweep: '1', action: SweepAction.KILL, reason: '', priority: 0 }, callback),
  );

function connectOnce(options: { cert?: Buffer; key?: Buffer }): Promise<void> {
  const [host, port] = served.address.split(':');
  return new Promise((resolve) => {
    const socket = connectTls({ host: host ?? '', port: Number(port), rejectUnauthorized: false, ...options });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });
}

describe('connections', () => {
  test('a certificate of another authority is rejected by the client and by the coordinator', async () => {
    const stranger = await identities.fromElsewhere(await identities.identity('ann', 'operator'));
    const { certificate: cert, key } = stranger;
    await expectRejection('wrong_certificate', () => connectOnce({ cert, key }));
    expect(await list(sweeps(stranger))).toMatchObject({ code: status.UNAVAILABLE });

    const elsewhere = await TestIdentities.init(join(testFolder(), 'certs'));
    const believesAnother = await elsewhere.identity('ann', 'operator');
    const answered = await list(sweeps(believesAnother));
    expect(answered).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringMatching(/certificate/) });
  });

  test('an expired certificate is rejected', async () => {
    const { certificate: cert, key } = await identities.expired(await identities.identity('ann', 'operator'));
    await expectRejection('expired_certificate', () => connectOnce({ cert, key }));
  });

  test('a connection without a certificate or without TLS is rejected', async () => {
    await expectRejection('no_certificate', () => connectOnce({}));
    await expectRejection('handshake', async () => {
      const [host, port] = served.address.split(':');
      const socket = connectPlain(Number(port), host);
      socket.on('error', () => {});
      socket.write('GET / HTTP/1.1\r\n\r\n');
      await once(socket.resume(), 'close');
    });
  });
});

describe('calls', () => {
  test('a missing token, a wrong token and the token of another identity are rejected', async () => {
    const ann = await identities.identity('ann', 'operator');
    const bob = await identities.identity('bob', 'operator');
    await expectRejection('no_token', async () => {
      expect(await list(sweeps({ ...ann, token: '' }))).toMatchObject({ code: status.UNAUTHENTICATED });
    });
    await expectRejection('wrong_token', async () => {
      expect(await list(sweeps({ ...ann, token: 'x'.repeat(43) }))).toMatchObject({ code: status.UNAUTHENTICATED });
    });
    await expectRejection('other_certificate', async () => {
      expect(await list(sweeps({ ...ann, token: bob.token }))).toMatchObject({ code: status.UNAUTHENTICATED });
    });
    expect(JSON.stringify(log)).not.toContain(bob.token);
    expect(await list(sweeps(ann))).toEqual({ sweeps: [] });
  });

  test('a viewer can read but cannot kill, and an operator can kill', async () => {
    const operator = sweeps(await identities.identity('ann', 'operator'));
    const viewer = sweeps(await identities.identity('wall', 'viewer'));
    expect(await submit(operator)).toMatchObject({ sweep: { id: '1' } });
    await expectRejection('role', async () => {
      expect(await kill(viewer)).toMatchObject({
        code: status.PERMISSION_DENIED,
        details: 'wall has the role viewer: ControlSweep is allowed for operator',
      });
    });
    expect(await submit(viewer)).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(await list(viewer)).toMatchObject({ sweeps: [{ state: 'SWEEP_STATE_RUNNING' }] });
    expect(await kill(operator)).toMatchObject({ sweep: { state: 'SWEEP_STATE_KILLED' } });
  });

  test('users cannot act as agents, and agents cannot act as users', async () => {
    const agent = sweeps(await identities.identity('a', 'agent'));
    await expectRejection('role', async () => {
      expect(await list(agent)).toMatchObject({ code: status.PERMISSION_DENIED });
    });
    const { shown, options } = channelTo(served.address, await identities.identity('ann', 'operator'));
    const client = new AttemptServiceClient(served.address, shown, options);
    onTestFinished(() => client.close());
    const opened = await answer((callback) => client.open({ agentId: 'ann', incarnation: 'i', claims: [] }, callback));
    expect(opened).toMatchObject({ code: status.PERMISSION_DENIED });
  });

  test('a revoked identity is rejected at its next call, and its open streams are closed', async () => {
    const ann = sweeps(await identities.identity('ann', 'operator'));
    const viewer = sweeps(await identities.identity('wall', 'viewer'));
    await submit(ann);
    const watch = viewer.watch({ sweep: '1', sinceEventSeq: 0 });
    const ended = once(watch, 'error');
    await once(watch, 'data');
    watch.resume();
    revokeIdentity(identities.dir, 'user-wall');
    await until('the viewer is unknown', async () => (await list(viewer)) instanceof Error);
    await kill(ann);
    expect((await ended)[0]).toMatchObject({ code: status.UNAUTHENTICATED });
    expect(await list(ann)).toMatchObject({ sweeps: [{ id: '1' }] });
  });
});

describe('agents', () => {
  const hello = (agentId: string): Hello => ({
    agentId,
    incarnation: `${agentId}1`,
    instance: agentId,
    location: '',
    protocol: PROTOCOL,
    leaderEpoch: 0,
    acceptsBatches: false,
    version: '0',
    host: 'h',
    slots: 1,
    backend: 'wasm',
    gpus: [],
    pack: 1,
    metrics: '',
    labels: {},
    slotFacts: [{ gpus: 0, vramBytes: 0 }],
    trainers: ['noop'],
  });

  /** Adds agents `a` and `b`. The only attempt is leased to agent `a`. */
  async function twoAgents() {
    const b = await identities.identity('b', 'agent');
    for (const id of ['a', 'b']) onHello(served.runtime.core, agentHello(id, `${id}1`, 1), now());
    await submit(sweeps(await identities.identity('ann', 'operator')));
    await until('an offer', () => served.offers.length > 0);
    const [key] = served.offers as [AttemptKey];
    const { step } = onOpen(served.runtime.core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, now());
    await served.runtime.settle(step);
    const { shown, options } = channelTo(served.address, b);
    const attempts = new AttemptServiceClient(served.address, shown, options);
    const artifacts = new ArtifactServiceClient(served.address, shown, options);
    onTestFinished(() => {
      attempts.close();
      artifacts.close();
    });
    return { key, attempts, artifacts, b };
  }

  test('an agent cannot use the id of another agent in a call of Open, in a hello message or in an artifact upload', async () => {
    const { key, attempts, artifacts } = await twoAgents();
    await expectRejection('other_agent', async () => {
      const claims = [{ key, slot: 0, pack: 0 }];
      const opened = await answer((callback) => attempts.open({ agentId: 'a', incarnation: 'a1', claims }, callback));
      expect(opened).toMatchObject({ code: status.PERMISSION_DENIED });
    });
    await expectRejection('other_agent', async () => {
      const stream = attempts.report();
      stream.write({ message: { $case: 'hello', hello: hello('a') } });
      stream.resume();
      expect((await once(stream, 'error'))[0]).toMatchObject({ code: status.PERMISSION_DENIED });
    });
    await expectRejection('other_agent', async () => {
      expect(await put(artifacts, key, 'a')).toMatchObject({ code: status.PERMISSION_DENIED });
    });
  });

  test("an agent cannot access the records, artifacts or checkpoints of another agent's attempt", async () => {
    const { key, attempts, artifacts } = await twoAgents();
    const claims = [{ key, slot: 0, pack: 0 }];
    const opened = await answer((callback) => attempts.open({ agentId: 'b', incarnation: 'b1', claims }, callback));
    expect(opened).toMatchObject({ decisions: [{ answer: { refusal: { code: RefusalCode.LEASED } } }] });
    await expectRejection('other_attempt', async () => {
      const stream = attempts.report();
      const answers = stream[Symbol.asyncIterator]();
      stream.write({ message: { $case: 'hello', hello: hello('b') } });
      await answers.next();
      const ended = { outcome: 'ATTEMPT_OUTCOME_SUCCEEDED', failure: undefined } as const;
      stream.write({ message: { $case: 'record', record: { key, seq: 1, atMs: 1, body: { $case: 'ended', ended } } } });
      expect((await answers.next()).value).toMatchObject({ message: { $case: 'refused' } });
      stream.cancel();
    });
    await expectRejection('other_attempt', async () => {
      expect(await put(artifacts, key, 'b')).toMatchObject({ message: { $case: 'refusal' } });
    });
    await expectRejection('other_attempt', async () => {
      const { sweepId: sweep, trialId: trial } = key;
      const read = artifacts.read({ sweep, trial, attempt: 1, name: 'checkpoint', offset: 0, direct: false });
      read.resume();
      expect((await once(read, 'error'))[0]).toMatchObject({ code: status.PERMISSION_DENIED });
    });
    expect(served.runtime.core.leases.get(`${key.sweepId}/${key.trialId}/1`)).toMatchObject({
      agentId: 'a',
      lastSeq: 0,
      resumedFrom: 0,
      straggler: undefined,
    });
  });

  test('an agent can read only the code of trials for which it has a lease', async () => {
    const { key, b } = await twoAgents();
    const sweep = served.runtime.core.sweeps.get(key.sweepId);
    const code = { sha256: 'a'.repeat(64), size: 1 };
    const program = { ...PROGRAM, code };
    if (sweep !== undefined)
      served.runtime.core.sweeps.set(key.sweepId, { ...sweep, policy: { ...sweep.policy, program } });
    const readCode = async (identity: Identity, sha256: string) => {
      const { shown, options } = channelTo(served.address, identity);
      const client = new CodeServiceClient(served.address, shown, options);
      onTestFinished(() => client.close());
      const read = client.readCode({ sha256, offset: 0 });
      read.resume();
      return (await once(read, 'error'))[0];
    };
    const a = await identities.identity('a', 'agent');
    // The archive does not exist, but only the holder of the lease may learn this.
    expect(await readCode(a, code.sha256)).toMatchObject({ code: status.NOT_FOUND });
    for (const [identity, sha256] of [
      [b, code.sha256],
      [a, 'b'.repeat(64)],
    ] as const) {
      await expectRejection('other_attempt', async () => {
        expect(await readCode(identity, sha256)).toMatchObject({ code: status.PERMISSION_DENIED });
      });
    }
  });

  test.each(['../../x', 'a/b', '..', '', 'x'.repeat(65), 'a\u001b[2J'])(
    'the sweep id %j is rejected in a claim and in an upload of an artifact',
    async (sweepId) => {
      const { key, attempts, artifacts } = await twoAgents();
      expect(await put(artifacts, { ...key, sweepId }, 'b')).toMatchObject({ code: status.INVALID_ARGUMENT });
      const claims = [{ key: { ...key, sweepId }, slot: 0, pack: 0 }];
      const opened = await answer((callback) => attempts.open({ agentId: 'b', incarnation: 'b1', claims }, callback));
      expect(opened).toMatchObject({ code: status.INVALID_ARGUMENT });
    },
  );
});

const PROGRAM: ProgramSpec = {
  env: {},
  report: [],
  classify: [],
  wandb: WandbMode.OFF,
  code: undefined,
  floatParameters: [],
  metric: '',
  firstReportMs: 0,
  seedParameter: '',
  parameterOrder: [],
  floatValues: [],
};

function put(client: ArtifactServiceClient, key: AttemptKey, agentId: string): Promise<unknown> {
  const call = client.put();
  const artifact = {
    attempt: 0,
    name: 'x',
    kind: 'ARTIFACT_KIND_FILE',
    epoch: 0,
    size: 1,
    sha256: '0'.repeat(64),
    atMs: 0,
  };
  call.write({ message: { $case: 'header', header: { key, agentId, artifact } } } as PutRequest);
  return new Promise((resolve) => {
    call.on('error', resolve);
    call.once('data', resolve);
  });
}
