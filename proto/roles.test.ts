import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isRead, ROLES, rolesOf } from './roles.ts';

const PROTO = join(import.meta.dirname, 'trawl', 'v1');

const methods = readdirSync(PROTO).flatMap((file) => {
  const text = readFileSync(join(PROTO, file), 'utf8');
  const service = /^service (\w+)/m.exec(text)?.[1];
  return [...text.matchAll(/^ {2}rpc (\w+)/gm)].map(([, method]) => `/trawl.v1.${service}/${method}`);
});

test.each(methods)('the table of roles has a row for %s', (path) => {
  const roles = rolesOf(path);
  expect(roles.length).toBeGreaterThan(0);
  expect(ROLES).toEqual(expect.arrayContaining([...roles]));
});

test('all roles can call health checks, but agents cannot call reflection', () => {
  expect(rolesOf('/grpc.health.v1.Health/Check')).toEqual(ROLES);
  expect(rolesOf('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo')).not.toContain('agent');
});

test('the methods that viewers can call are read-only', () => {
  expect(isRead('/trawl.v1.SweepService/Watch')).toBe(true);
  expect(isRead('/trawl.v1.SweepService/Submit')).toBe(false);
  expect(isRead('/trawl.v1.SweepService/DeleteEverything')).toBe(false);
});

test('no role can call an unknown method', () => {
  expect(rolesOf('/trawl.v1.SweepService/DeleteEverything')).toEqual([]);
});

test('operators change state, agents run attempts, and viewers only read', () => {
  const callableBy = (role: (typeof ROLES)[number]) =>
    methods.filter((path) => rolesOf(path).includes(role)).map((path) => path.replace('/trawl.v1.', ''));
  expect(callableBy('agent').sort()).toEqual([
    'ArtifactService/Put',
    'ArtifactService/Read',
    'AttemptService/Open',
    'AttemptService/Report',
    'CodeService/ReadCode',
  ]);
  const onlyOperators = callableBy('operator').filter((path) => !callableBy('viewer').includes(path));
  expect(onlyOperators.sort()).toEqual([
    'CodeService/PutCode',
    'OperationsService/Backup',
    'OperationsService/DrainAgent',
    'OperationsService/Prune',
    'OperationsService/ReleaseAgent',
    'OperationsService/UndrainAgent',
    'SweepService/ApplySweep',
    'SweepService/ControlSweep',
    'SweepService/KillTrial',
    'SweepService/RetryTrials',
    'SweepService/Submit',
  ]);
  expect(callableBy('viewer').filter((path) => !callableBy('operator').includes(path))).toEqual([]);
});
