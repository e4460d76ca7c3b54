import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { readIdentities, tokenHash } from '../../coordinator/auth/identities.ts';
import { parseServers } from '../../lib/net/address.ts';
import { readIdentity } from '../../lib/net/identity.ts';
import { runTrawl } from '../../test/support/cli/run-trawl.ts';

let dir: string;
beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), 'trawl-certs-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  dir = join(parent, 'certs');
});

const certs = (...args: string[]) => runTrawl('certs', ...args, '--dir', dir);

function certificate(folder: string): X509Certificate {
  return new X509Certificate(readFileSync(join(dir, folder, 'cert.pem')));
}

test('certs init creates an authority, and a server certificate with the given host names', async () => {
  const { stdout, exitCode } = await certs('init', '--host', 'head.lan,10.0.0.5', '--host', 'fe80::1');
  expect({ stdout, exitCode }).toEqual({ stdout: `${join(dir, 'server')}\n`, exitCode: 0 });
  const server = certificate('server');
  const authority = new X509Certificate(readFileSync(join(dir, 'ca', 'ca.pem')));
  expect(authority.ca).toBe(true);
  expect(server.ca).toBe(false);
  expect(server.verify(authority.publicKey)).toBe(true);
  for (const host of ['head.lan', 'localhost']) expect(server.checkHost(host)).toBe(host);
  for (const ip of ['10.0.0.5', '127.0.0.1', '::1', 'fe80::1']) expect(server.checkIP(ip)).toBe(ip);
  expect(server.checkHost('other.lan')).toBeUndefined();
});

test('an identity has a name and server addresses, and the servers store the hash of its token', async () => {
  await certs('init', '--host', 'head.lan');
  expect((await certs('agent', 'gpu-1', '--days', '30')).exitCode).toBe(0);
  expect((await certs('user', 'ann', '--role', 'operator')).exitCode).toBe(0);
  const agent = readIdentity(join(dir, 'agent-gpu-1'), ['agent']);
  expect(agent).toMatchObject({
    name: 'gpu-1',
    role: 'agent',
    servers: { coordinator: 'head.lan:7070', nats: 'tls://head.lan:4222' },
  });
  const days = (Date.parse(certificate('agent-gpu-1').validTo) - Date.now()) / 86_400_000;
  expect(Math.round(days)).toBe(30);
  const [first, second] = readIdentities(join(dir, 'server'));
  expect(first).toEqual({
    name: 'gpu-1',
    role: 'agent',
    tokenSha256: tokenHash(agent.token),
    serial: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
  expect(second).toMatchObject({ name: 'ann', role: 'operator' });
  const everything = readdirSync(join(dir, 'server')).map((file) => readFileSync(join(dir, 'server', file), 'utf8'));
  expect(everything.join('\n')).not.toContain(agent.token);
  expect(() => readIdentity(join(dir, 'user-ann'), ['agent'])).toThrow(
    /operator ann: expected an identity with the role agent/,
  );
});

test('only the owner can read keys and tokens, and no partial file remains', async () => {
  await certs('init');
  await certs('agent', 'a');
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const { mode } = statSync(join(entry.parentPath, entry.name));
    expect(mode & 0o777, entry.name).toBe(entry.isDirectory() ? 0o700 : 0o600);
    expect(entry.name).not.toMatch(/part$/);
  }
});

test('existing certificate files are overwritten only with --force', async () => {
  await certs('init');
  await certs('agent', 'a');
  const files = ['ca/key.pem', 'server/key.pem', 'agent-a/key.pem', 'agent-a/token'];
  const before = files.map((file) => readFileSync(join(dir, file), 'utf8'));
  for (const again of [['init'], ['agent', 'a']]) {
    expect(await certs(...again)).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('--force') });
  }
  expect(files.map((file) => readFileSync(join(dir, file), 'utf8'))).toEqual(before);
  expect((await certs('agent', 'a', '--force')).exitCode).toBe(0);
  expect(readFileSync(join(dir, 'agent-a/token'), 'utf8')).not.toBe(before[3]);
  expect(readIdentities(join(dir, 'server'))).toHaveLength(1);
});

test('a revoked identity is no longer accepted', async () => {
  await certs('init');
  await certs('agent', 'a');
  await certs('agent', 'b');
  expect((await certs('revoke', 'agent-a')).exitCode).toBe(0);
  expect(readIdentities(join(dir, 'server')).map(({ name }) => name)).toEqual(['b']);
  const accounts = readFileSync(join(dir, 'server', 'nats-accounts.conf'), 'utf8');
  expect(accounts).toContain('CN=b,OU=agent');
  expect(accounts).not.toContain('CN=a,OU=agent');
  expect(existsSync(join(dir, 'agent-a'))).toBe(false);
  expect(await certs('revoke', '../server')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('agent-b') });
  expect(existsSync(join(dir, 'server', 'key.pem'))).toBe(true);
});

test('certs accounts updates an accounts file of an earlier version: the agents get a separate account', async () => {
  await certs('init');
  await certs('agent', 'a');
  const file = join(dir, 'server', 'nats-accounts.conf');
  const current = readFileSync(file, 'utf8');
  writeFileSync(file, 'accounts { TRAWL { jetstream: enabled } }\n');
  expect(await certs('accounts')).toMatchObject({
    exitCode: 0,
    stdout: `${file}\n`,
    stderr: expect.stringContaining('restart the NATS servers'),
  });
  expect(readFileSync(file, 'utf8')).toBe(current);
  const [coordinator = '', agents = ''] = current.split(/^ {2}AGENTS /m);
  expect(coordinator).toContain('CN=coordinator,OU=coordinator');
  expect(coordinator).not.toContain('OU=agent');
  expect(agents).toContain('CN=a,OU=agent');
  expect(agents).not.toContain('jetstream');
});

test.each(['../../x', 'a/b', 'a"} }', 'a..b', '.', 'a\u001b[2J', 'x'.repeat(65), `${'x'.repeat(60)}.lab`, ''])(
  '%j is rejected as the name of an identity',
  async (name) => {
    await certs('init');
    const { exitCode, stderr } = await certs('agent', '--', name);
    expect(exitCode).toBe(2);
    expect(stderr).not.toContain('\u001b');
    expect(readdirSync(dir).sort()).toEqual(['ca', 'server']);
  },
);

test('the name of an agent may be a fully qualified host name', async () => {
  await certs('init');
  expect(await certs('agent', 'gpu1.lab.example.org')).toMatchObject({ exitCode: 0 });
  expect(readIdentity(join(dir, 'agent-gpu1.lab.example.org'), ['agent']).name).toBe('gpu1.lab.example.org');
  const accounts = readFileSync(join(dir, 'server', 'nats-accounts.conf'), 'utf8');
  expect(accounts).toMatch(/"CN=gpu1\.lab\.example\.org,OU=agent,SERIALNUMBER=[0-9a-f]{16}"/);
  expect(accounts).toContain('"trawl.*.heartbeat.gpu1:lab:example:org"');
  expect((await certs('revoke', 'agent-gpu1.lab.example.org')).exitCode).toBe(0);
  expect(existsSync(join(dir, 'agent-gpu1.lab.example.org'))).toBe(false);
});

test.each(['a b', '-x', 'http://x', 'a"b', '*'])('the host name %j is rejected', async (host) => {
  expect(await certs('init', `--host=${host}`)).toMatchObject({ exitCode: 2 });
  expect(existsSync(dir)).toBe(false);
});

test('an identity needs an authority, and the identity of a user needs a role', async () => {
  expect(await certs('agent', 'a')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('certs init') });
  await certs('init');
  expect((await certs('user', 'ann')).exitCode).toBe(2);
  expect((await certs('user', 'ann', '--role', 'agent')).exitCode).toBe(2);
});

test('with several coordinators, each identity has the address of every coordinator, and the server certificate has every host', async () => {
  const hosts = ['--host', 'head-a,10.0.0.5', '--standby', 'head-b,fe80::7'];
  const { stderr, exitCode } = await certs('init', ...hosts, '--agent', 'gpu-1');
  expect(exitCode).toBe(0);
  expect(stderr).toContain('the same command on head-b, fe80::7, with the same --store');
  const server = certificate('server');
  for (const host of ['head-a', 'head-b']) expect(server.checkHost(host)).toBe(host);
  expect(server.checkIP('fe80::7')).toBe('fe80::7');
  const { servers } = readIdentity(join(dir, 'agent-gpu-1'), ['agent']);
  expect(servers).toEqual({ coordinator: 'head-a:7070,head-b:7070,[fe80::7]:7070', nats: 'tls://head-a:4222' });
  expect(parseServers(servers.coordinator ?? '', 'servers.json')).toHaveLength(3);
  expect(await certs('init', '--force', '--standby', 'head-b')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('--standby requires --host'),
  });
});

test("each NATS server of a cluster has its own key, and accepts routes only from the cluster's servers", async () => {
  const made = await certs(
    ...['init', '--host', 'head', '--nats', 'head,10.0.0.6', '--nats', 'fe80::1'],
    ...['--agent', 'gpu-1,gpu-2', '--operator', 'ann', '--viewer', 'wall'],
  );
  const folders = ['server', 'agent-gpu-1', 'agent-gpu-2', 'user-wall', 'user-ann'].map((name) => join(dir, name));
  expect(made).toMatchObject({ exitCode: 0, stdout: `${folders.join('\n')}\n` });
  expect(existsSync(join(dir, 'server', 'nats.conf'))).toBe(false);
  const nats = 'tls://head:4222,tls://10.0.0.6:4222,tls://[fe80::1]:4222';
  expect(readIdentity(join(dir, 'user-ann'), ['operator']).servers).toEqual({ coordinator: 'head:7070', nats });

  const read = (folder: string, file: string) => readFileSync(join(dir, folder, file), 'utf8');
  const servers = ['nats-head', 'nats-10.0.0.6', 'nats-fe80--1'];
  const pinned = servers.map((folder) => {
    const key = certificate(folder).publicKey.export({ type: 'spki', format: 'der' });
    return createHash('sha256').update(key).digest('hex');
  });
  for (const folder of servers) {
    const config = read(folder, 'nats.conf');
    expect(/pinned_certs: \[(.*)\]/.exec(config)?.[1]?.match(/[0-9a-f]{64}/g)).toEqual(pinned);
    expect(config).toContain('"nats-route://[fe80::1]:6222"');
    expect(read(folder, 'nats-accounts.conf')).toContain('CN=gpu-2,OU=agent');
  }
  expect(certificate('nats-head').checkHost('head')).toBe('head');
  expect(certificate('nats-head').checkHost('10.0.0.6')).toBeUndefined();

  await certs('agent', 'late');
  for (const folder of servers) expect(read(folder, 'nats-accounts.conf')).toContain('CN=late,OU=agent');
  await certs('init', '--force');
  expect(read('server', 'nats.conf')).not.toContain('cluster');
  await certs('agent', 'later');
  expect(read('nats-head', 'nats-accounts.conf')).not.toContain('CN=later,OU=agent');
});

test('the host name reserved for agents is rejected', async () => {
  for (const flag of ['--host', '--nats']) {
    expect(await certs('init', flag, 'trawl-agent')).toMatchObject({ exitCode: 2 });
  }
  await certs('init');
  await certs('agent', 'a');
  expect(certificate('agent-a').checkHost('trawl-agent')).toBe('trawl-agent');
});

test('a renewal changes only cert.pem, and the new certificate has the same name, hosts and key as before', async () => {
  await certs('init', '--host', 'head.lan', '--nats', 'head', '--days', '10');
  await certs('agent', 'a', '--days', '10');
  const folders = ['agent-a', 'nats-head', 'server'];
  const before = new Map(folders.map((folder) => [folder, certificate(folder)]));
  const filesOf = (folder: string) =>
    readdirSync(join(dir, folder))
      .filter((file) => file !== 'cert.pem')
      .map((file) => readFileSync(join(dir, folder, file), 'utf8'));
  const others = folders.map(filesOf);
  const { stdout, stderr, exitCode } = await certs('renew', '--days', '40');
  expect({ stdout, exitCode }).toEqual({
    stdout: folders.map((folder) => `${join(dir, folder)}\n`).join(''),
    exitCode: 0,
  });
  expect(stderr).toContain('copy each cert.pem');
  expect(folders.map(filesOf)).toEqual(others);
  const authority = new X509Certificate(readFileSync(join(dir, 'ca', 'ca.pem')));
  for (const [folder, old] of before) {
    const renewed = certificate(folder);
    expect(Math.round((Date.parse(renewed.validTo) - Date.parse(old.validTo)) / 86_400_000), folder).toBe(30);
    expect(renewed.subject).toBe(old.subject);
    expect(renewed.subjectAltName).toBe(old.subjectAltName);
    expect(renewed.keyUsage).toEqual(old.keyUsage);
    expect(renewed.publicKey.equals(old.publicKey)).toBe(true);
    expect(renewed.verify(authority.publicKey)).toBe(true);
    expect(renewed.serialNumber).not.toBe(old.serialNumber);
  }
  expect(readIdentity(join(dir, 'agent-a'), ['agent']).name).toBe('a');
});

test('only existing identities are renewed, and a certificate that would expire after the authority is rejected', async () => {
  await certs('init', '--ca-days', '100');
  await certs('agent', 'a');
  await certs('agent', 'b');
  await certs('revoke', 'agent-b');
  const before = certificate('agent-a').validTo;
  expect(await certs('renew', 'agent-b')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('agent-a') });
  expect(await certs('renew', '../x')).toMatchObject({ exitCode: 2 });
  const tooLong = await certs('renew', 'agent-a', '--days', '101');
  expect(tooLong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('before the new certificates') });
  expect(certificate('agent-a').validTo).toBe(before);
  expect(await certs('renew', 'agent-a', '--days', '99')).toMatchObject({ exitCode: 0 });
});
