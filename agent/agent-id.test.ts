import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { agentIdProblem } from '../proto/subjects.ts';
import { newAgentId, storedAgentId } from './agent-id.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-agent-id-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
});

test.each([
  ['gpu-1', 'gpu-1-abc'],
  ['gpu1.lab.example.org', 'gpu1.lab.example.org-abc'],
  ['ip-10-0-0-1.us-west-2.compute.internal.', 'ip-10-0-0-1.us-west-2.compute.internal-abc'],
  ['.lab', 'lab-abc'],
  ['a..b', 'a.b-abc'],
  ['Rechner von Ülkü', 'Rechner-von--lk--abc'],
  ['', 'agent-abc'],
  [`${'x'.repeat(56)}.lab`, `${'x'.repeat(56)}-abc`],
])('the host name %j gives the id %j', (host, id) => {
  expect(newAgentId(host, 'abc')).toBe(id);
});

test('every host name gives an id that is also valid in a certificate', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain()), (host) => {
      const id = newAgentId(host, '123456');
      expect(agentIdProblem(id)).toBeUndefined();
      expect(id.length).toBeLessThanOrEqual(64);
    }),
  );
});

test('the id of an agent is stored in its folder, and an id that the user requests replaces the stored id', () => {
  const first = storedAgentId(dir, undefined);
  expect(first).toMatch(new RegExp(`^${hostname().split('.')[0]}`));
  expect(storedAgentId(dir, undefined)).toBe(first);
  expect(storedAgentId(dir, 'gpu1.lab.example.org')).toBe('gpu1.lab.example.org');
  expect(storedAgentId(dir, undefined)).toBe('gpu1.lab.example.org');
});

test('an invalid id is rejected and not stored, and the error names the file if the id was read from it', () => {
  expect(() => storedAgentId(dir, 'gpu1..lab')).toThrow(/^invalid agent id "gpu1\.\.lab": expected letters/);
  const first = storedAgentId(dir, undefined);
  expect(() => storedAgentId(dir, 'a b')).toThrow(/invalid agent id "a b"/);
  expect(readFileSync(join(dir, 'agent-id'), 'utf8')).toBe(`${first}\n`);
  writeFileSync(join(dir, 'agent-id'), 'two\nlines\n');
  expect(() => storedAgentId(dir, undefined)).toThrow(`${join(dir, 'agent-id')}: invalid agent id "two\\nlines"`);
});
