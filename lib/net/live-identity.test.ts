import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { addIdentity, initAuthority } from '../../bin/certs/authority.ts';
import { renewIdentities } from '../../bin/certs/renew.ts';
import { readIdentity } from './identity.ts';
import { LiveIdentity } from './live-identity.ts';

/** Creates an authority and the agent `a`, and copies the agent's folder, as users do to set up an agent. */
async function copiedIdentity() {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-live-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [dir, copy] = [join(folder, 'certs'), join(folder, 'copy')];
  await initAuthority(dir, { hosts: [], days: 30, authorityDays: 400, force: false });
  const issued = await addIdentity(dir, { name: 'a', role: 'agent' }, { days: 30, force: false });
  cpSync(issued, copy, { recursive: true });
  const lines: string[] = [];
  const live = new LiveIdentity(readIdentity(copy, ['agent']), pino({}, { write: (line) => lines.push(line) }));
  onTestFinished(() => live.stop());
  return { dir, issued, copy, live, log: () => lines.join('') };
}

test('a renewed identity is used once its files are complete, and the old identity is used until then', async () => {
  const { dir, issued, copy, live, log } = await copiedIdentity();
  const old = live.current;
  const renewed = vi.fn();
  live.watch(renewed);
  writeFileSync(join(copy, 'cert.pem'), '-----BEGIN CERTIFICATE-----\nMIIB');
  await vi.waitFor(() => expect(log()).toContain('could not read the renewed identity'), { timeout: 10_000 });
  expect(live.current).toBe(old);
  await renewIdentities(dir, ['agent-a'], 90);
  copyFileSync(join(issued, 'cert.pem'), join(copy, 'cert.pem'));
  await vi.waitFor(() => expect(renewed).toHaveBeenCalledOnce(), { timeout: 10_000 });
  expect(live.current.expires).toBeGreaterThan(old.expires);
  expect(live.current.token).toBe(old.token);
});

test('a new certificate is ignored if it belongs to another holder or does not match the key', async () => {
  const { dir, copy, live, log } = await copiedIdentity();
  const old = live.current;
  live.watch(() => expect.unreachable());
  const other = await addIdentity(dir, { name: 'b', role: 'agent' }, { days: 60, force: false });
  copyFileSync(join(other, 'cert.pem'), join(copy, 'cert.pem'));
  await vi.waitFor(() => expect(log()).toContain('is not the key of cert.pem'), { timeout: 10_000 });
  copyFileSync(join(other, 'key.pem'), join(copy, 'key.pem'));
  await vi.waitFor(() => expect(log()).toContain('is now the identity of b'), { timeout: 10_000 });
  expect(live.current).toBe(old);
});
