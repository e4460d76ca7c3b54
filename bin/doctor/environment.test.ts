import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { AgentState } from '../../proto/gen/trawl/v1/types.ts';
import { createAuthority, issue } from '../certs/issue.ts';
import { agentIdFinding, certificateFinding, hostFinding, programStartFinding, proxyFinding } from './environment.ts';

test.each<[NodeJS.ProcessEnv, string, RegExp]>([
  [{}, 'ok', /^none$/],
  [{ https_proxy: '' }, 'ok', /^none$/],
  [{ https_proxy: 'http://ann:secret@p:1' }, 'ok', /coordinator and NATS ignore https_proxy; TRAWL_USE_PROXY=1/],
  [{ HTTP_PROXY: 'p', grpc_proxy: 'q' }, 'ok', /ignore grpc_proxy, HTTP_PROXY/],
  [
    { https_proxy: 'http://p:1', TRAWL_USE_PROXY: '1' },
    'warning',
    /coordinator use https_proxy .*; those to NATS do not/,
  ],
  [{ TRAWL_USE_PROXY: '1' }, 'ok', /no effect/],
  [{ https_proxy: 'p', TRAWL_USE_PROXY: '0' }, 'ok', /ignore https_proxy/],
])('doctor reports the proxy variables %j with the state %s', (env, state, detail) => {
  const finding = proxyFinding(env);
  expect(finding).toMatchObject({ state, detail: expect.stringMatching(detail), needed: false });
  expect(finding.detail).not.toContain('secret');
});

test.each<[string, boolean, string, string]>([
  ['gpu1.lab.example.org', true, 'ok', 'gpu1.lab.example.org (fully qualified)'],
  ['gpu1', true, 'ok', 'gpu1 (not qualified with a domain)'],
  ['gpu1', false, 'warning', 'gpu1 (not qualified with a domain) has no address'],
  ['localhost', true, 'warning', '"localhost" does not identify this machine'],
  ['localhost.localdomain', true, 'warning', '"localhost.localdomain" does not identify this machine'],
  ['', false, 'warning', '"" does not identify this machine'],
])('doctor reports the host name %j (has an address: %j) with the state %s', (host, resolves, state, detail) => {
  expect(hostFinding(host, resolves)).toMatchObject({ state, detail });
});

test.each<[string, Parameters<typeof programStartFinding>[0], string, RegExp]>([
  ['posix_spawn can be used', { spawn: vi.fn() }, 'ok', /^with posix_spawn$/],
  [
    'posix_spawn is not supported',
    { spawn: undefined, problem: 'not supported on darwin (arm64)', mayBeTemporary: false },
    'ok',
    /fork.*not supported on darwin/,
  ],
  [
    'koffi cannot be loaded',
    { spawn: undefined, problem: "Cannot find module 'koffi'", mayBeTemporary: true },
    'warning',
    /fork.*'koffi'/,
  ],
])('doctor reports how programs start if %s', (_, loaded, state, detail) => {
  expect(programStartFinding(loaded)).toMatchObject({ state, detail: expect.stringMatching(detail), needed: false });
});

const other = { id: 'gpu1.lab', host: 'node7', state: AgentState.CONNECTED };

test('doctor warns about an agent id that an agent on another host uses, and names that host', () => {
  const facts = { id: 'gpu1.lab', host: 'node1', agents: [other] };
  expect(agentIdFinding(facts)).toMatchObject({
    state: 'warning',
    detail: 'gpu1.lab is in use by the agent on host node7, so an agent here is rejected',
    fix: expect.stringContaining('--id'),
  });
  expect(agentIdFinding({ ...facts, agents: [{ ...other, state: AgentState.DRAINING }] }).state).toBe('warning');
});

test.each<[string, Parameters<typeof agentIdFinding>[0], RegExp]>([
  [
    'the agent with this id is on this host',
    { id: 'gpu1.lab', host: 'node7', agents: [other] },
    /no agent on another host has it/,
  ],
  ['the other agent has another id', { id: 'gpu1', host: 'node1', agents: [other] }, /no agent on another host has it/],
  [
    'the agent with this id is lost',
    { id: 'gpu1.lab', host: 'node1', agents: [{ ...other, state: AgentState.LOST }] },
    /no agent/,
  ],
  [
    'the agent with this id has left',
    { id: 'gpu1.lab', host: 'node1', agents: [{ ...other, state: AgentState.LEFT }] },
    /no agent/,
  ],
  [
    'no coordinator answers',
    { id: 'a', host: 'h', agents: 'the coordinator does not answer' },
    /^a; not compared .*: the coordinator does not answer$/,
  ],
  ['no agent has used the folder', { id: undefined, host: 'gpu1.lab', agents: [] }, /such as gpu1\.lab-1a2b3c$/],
])('doctor gives no warning about the agent id if %s', (_, facts, detail) => {
  expect(agentIdFinding(facts)).toMatchObject({ state: 'ok', detail: expect.stringMatching(detail) });
});

test('an expired certificate fails the check, and a certificate that expires within a week causes a warning', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { certificate } = await issue(await createAuthority(30), { name: 'a', role: 'agent' }, 30);
  writeFileSync(join(folder, 'cert.pem'), certificate);
  const inDays = (days: number) => certificateFinding(folder, Date.now() + days * 86_400_000);
  expect(inDays(20)).toMatchObject({ state: 'ok', detail: expect.stringContaining('valid until') });
  expect(inDays(24)).toMatchObject({
    state: 'warning',
    needed: false,
    fix: expect.stringContaining('trawl certs renew'),
  });
  expect(inDays(31)).toMatchObject({ state: 'missing', needed: true, detail: expect.stringContaining('expired on') });
  const absent = certificateFinding(join(folder, 'absent'), Date.now());
  expect(absent).toMatchObject({ state: 'missing', detail: expect.stringContaining('could not read') });
});
