/**
 * Defines the roles that can call each method. With identities, the coordinator checks the role of the caller before it
 * reads a request.
 */
import { ArtifactServiceService } from './gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from './gen/trawl/v1/attempt_service.ts';
import { CodeServiceService } from './gen/trawl/v1/code_service.ts';
import { OperationsServiceService } from './gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from './gen/trawl/v1/sweep_service.ts';

/** An agent runs trials, a viewer reads, and an operator also changes sweeps and agents, prunes, and makes backups. */
export const ROLES = ['agent', 'viewer', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Roles of people. */
export const USER_ROLES = ['viewer', 'operator'] as const satisfies readonly Role[];

const AGENTS: readonly Role[] = ['agent'];
const PEOPLE: readonly Role[] = USER_ROLES;
const OPERATORS: readonly Role[] = ['operator'];

/** The types of this table and of the following tables make a missing method a compile error. */
const SWEEP_SERVICE: Record<keyof typeof SweepServiceService, readonly Role[]> = {
  submit: OPERATORS,
  applySweep: OPERATORS,
  controlSweep: OPERATORS,
  killTrial: OPERATORS,
  retryTrials: OPERATORS,
  listSweeps: PEOPLE,
  getSweep: PEOPLE,
  getSource: PEOPLE,
  listTrials: PEOPLE,
  listConfigs: PEOPLE,
  listCurves: PEOPLE,
  getTrial: PEOPLE,
  listRungs: PEOPLE,
  listReports: PEOPLE,
  watch: PEOPLE,
  readLog: PEOPLE,
  listAgents: PEOPLE,
  explainTrial: PEOPLE,
};

const ATTEMPT_SERVICE: Record<keyof typeof AttemptServiceService, readonly Role[]> = {
  open: AGENTS,
  report: AGENTS,
};

const ARTIFACT_SERVICE: Record<keyof typeof ArtifactServiceService, readonly Role[]> = {
  put: AGENTS,
  list: PEOPLE,
  // An agent can read only the checkpoints of the trials that are leased to it.
  read: [...PEOPLE, ...AGENTS],
};

const CODE_SERVICE: Record<keyof typeof CodeServiceService, readonly Role[]> = {
  putCode: OPERATORS,
  // An agent can read only the code of the trials that are leased to it.
  readCode: [...PEOPLE, ...AGENTS],
};

const OPERATIONS_SERVICE: Record<keyof typeof OperationsServiceService, readonly Role[]> = {
  drainAgent: OPERATORS,
  undrainAgent: OPERATORS,
  releaseAgent: OPERATORS,
  prune: OPERATORS,
  // A viewer cannot make a backup, because it contains all data and can be restored elsewhere.
  backup: OPERATORS,
};

const STANDARD_METHODS: readonly [string, readonly Role[]][] = [
  ['/grpc.health.v1.Health/Check', ROLES],
  ['/grpc.health.v1.Health/Watch', ROLES],
  ['/grpc.health.v1.Health/List', ROLES],
  ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', PEOPLE],
  ['/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', PEOPLE],
];

const byPath = new Map<string, readonly Role[]>([
  ...pathsOf(SweepServiceService, SWEEP_SERVICE),
  ...pathsOf(AttemptServiceService, ATTEMPT_SERVICE),
  ...pathsOf(ArtifactServiceService, ARTIFACT_SERVICE),
  ...pathsOf(CodeServiceService, CODE_SERVICE),
  ...pathsOf(OperationsServiceService, OPERATIONS_SERVICE),
  ...STANDARD_METHODS,
]);

function pathsOf<Name extends string>(
  service: Record<Name, { readonly path: string }>,
  roles: Record<Name, readonly Role[]>,
): [string, readonly Role[]][] {
  return (Object.keys(roles) as Name[]).map((name) => [service[name].path, roles[name]]);
}

/**
 * Returns the roles that can call a method, or no roles for an unknown method.
 * @param path the path of the method, such as `/trawl.v1.SweepService/Submit`
 */
export function rolesOf(path: string): readonly Role[] {
  return byPath.get(path) ?? [];
}

/** Returns whether a method only reads, so that a call of it can safely be retried. Viewers call only such methods. */
export function isRead(path: string): boolean {
  return rolesOf(path).includes('viewer');
}
