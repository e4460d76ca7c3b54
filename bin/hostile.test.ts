/**
 * Tests the verbs against a coordinator that sends hostile text. The output must contain symbols in place of control
 * characters, which a terminal would interpret.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { toWire } from '../lib/domain/parameters.ts';
import { type ArtifactServiceServer, ArtifactServiceService } from '../proto/gen/trawl/v1/artifact_service.ts';
import { Artifact, FailureClass, SweepState, TrialState } from '../proto/gen/trawl/v1/types.ts';
import { type CannedServer, serveCanned } from '../test/support/cli/canned-service.ts';
import { runTrawl } from '../test/support/cli/run-trawl.ts';
import { endedTrial, sampleAgent, sampleSweep, snapshot } from '../test/support/dashboard/sample.ts';
import { newLogger } from './options/logging.ts';

/**
 * Text that would make a terminal clear the screen, set its title, ring the bell, run a C1 command and reorder text.
 */
const HOSTILE = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\r../../x\u2028';
const OBEYED = /(?!\n)[\p{Cc}\u202a-\u202e\u2028\u2029]/u;

let server: CannedServer;
beforeAll(async () => {
  const sweep = sampleSweep({ name: HOSTILE, reason: HOSTILE, state: SweepState.FINISHED, axes: [HOSTILE] });
  const trial = {
    ...endedTrial(0, { [HOSTILE]: 1, test_loss: 1 }),
    agentId: HOSTILE,
    backend: HOSTILE,
    state: TrialState.FAILED,
    parameters: toWire({ [HOSTILE]: HOSTILE }),
    failure: { class: FailureClass.CRASH, message: HOSTILE },
  };
  server = await serveCanned({
    listSweeps: (_call, callback) => callback(null, { sweeps: [sweep] }),
    getSweep: (_call, callback) => callback(null, { sweep, text: HOSTILE }),
    controlSweep: (_call, callback) => callback(null, { sweep }),
    submit: (_call, callback) => callback({ code: status.INVALID_ARGUMENT, details: HOSTILE }),
    getTrial: (_call, callback) => callback(null, { trial, attempts: [], artifacts: [], programs: [], rungs: [] }),
    listTrials: (call) => {
      call.write({ trials: [trial] });
      call.end();
    },
    listConfigs: (call) => call.emit('error', { code: status.NOT_FOUND, details: HOSTILE }),
    listAgents: (_call, callback) => callback(null, { agents: [sampleAgent({ id: HOSTILE, host: HOSTILE })] }),
    watch: (call) => {
      call.write(snapshot(sweep, [trial]));
      call.end();
    },
  });
});
afterAll(() => server.stop());

test.each([
  ['ls'],
  ['ls', '-o', 'json'],
  ['show', '7'],
  ['show', '7', '-o', 'json'],
  ['trials'],
  ['trials', '-o', 'json'],
  ['best', '--configs'],
  ['agents'],
  ['agents', '-o', 'json'],
  ['pause', '7'],
  ['kill', '7', '-y'],
  ['wait', '7'],
])('trawl %s %s %s prints no control characters that the coordinator sent', async (...args) => {
  const { stdout, stderr } = await runTrawl(...args.filter((arg) => arg !== undefined), '--server', server.address);
  expect(stdout + stderr).not.toBe('');
  expect(stdout).not.toMatch(OBEYED);
  expect(stderr).not.toMatch(OBEYED);
});

test.each(['text', 'json'] as const)(
  'a log in format %s has no control characters in messages, values, names or stacks',
  async (logFormat) => {
    const file = join(folder(), 'log');
    const log = await newLogger('test', { logLevel: 'info', logFormat }, openSync(file, 'a'));
    log.warn({ host: HOSTILE, nested: [{ [HOSTILE]: HOSTILE }], err: new Error(HOSTILE) }, HOSTILE);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('owned');
    expect(text).not.toMatch(OBEYED);
  },
);

test('an artifact whose name leads out of the folder is not written', async () => {
  const bytes = Buffer.from('x');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const artifact = Artifact.fromPartial({ name: '../../x', attempt: 1, size: 1, sha256, kind: 'ARTIFACT_KIND_FILE' });
  const address = await serveArtifacts({
    put: (call) => call.end(),
    list: (call) => {
      call.write({ trials: [{ sweepId: '7', trialId: 't', artifacts: [artifact] }] });
      call.end();
    },
    read: (call) => {
      call.write({ message: { $case: 'artifact', artifact } });
      call.write({ message: { $case: 'chunk', chunk: bytes } });
      call.end();
    },
  });
  const parent = folder();
  const out = join(parent, 'a', 'b');
  const { exitCode, stderr } = await runTrawl('artifacts', 'get', 't', '--out', out, '--server', address);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('"../../x"') });
  expect(readdirSync(parent)).toEqual([]);
});

function serveArtifacts(implementation: ArtifactServiceServer): Promise<string> {
  const hostile = new Server();
  hostile.addService(ArtifactServiceService, implementation);
  onTestFinished(() => hostile.forceShutdown());
  return new Promise((resolve, reject) => {
    hostile.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(`127.0.0.1:${port}`) : reject(error),
    );
  });
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'trawl-hostile-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}
