import { expect, test } from 'vitest';
import { ArtifactServiceService } from './gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from './gen/trawl/v1/attempt_service.ts';
import { SweepServiceService } from './gen/trawl/v1/sweep_service.ts';
import { ROLES, rolesOf } from './roles.ts';

const methods = [SweepServiceService, AttemptServiceService, ArtifactServiceService].flatMap((service) =>
  Object.values(service).map(({ path }) => path),
);

test.each(methods)('%s says who may call it', (path) => {
  const roles = rolesOf(path);
  expect(roles.length).toBeGreaterThan(0);
  expect(ROLES).toEqual(expect.arrayContaining([...roles]));
});

test('nobody may call what is not known', () => {
  expect(rolesOf('/trawl.v1.SweepService/DeleteEverything')).toEqual([]);
});

test('only an operator changes a sweep, only an agent runs its attempts, and a viewer can do nothing more than look', () => {
  const callableBy = (role: (typeof ROLES)[number]) =>
    methods.filter((path) => rolesOf(path).includes(role)).map((path) => path.replace('/trawl.v1.', ''));
  expect(callableBy('agent').sort()).toEqual([
    'ArtifactService/Put',
    'ArtifactService/Read',
    'AttemptService/Open',
    'AttemptService/Report',
  ]);
  const onlyOperators = callableBy('operator').filter((path) => !callableBy('viewer').includes(path));
  expect(onlyOperators.sort()).toEqual(['SweepService/ControlSweep', 'SweepService/Submit']);
  expect(callableBy('viewer').filter((path) => !callableBy('operator').includes(path))).toEqual([]);
});
