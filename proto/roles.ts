/** Who may call what. The one table: the coordinator asks it before it reads a request. */
import { ArtifactServiceService } from './gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from './gen/trawl/v1/attempt_service.ts';
import { OperationsServiceService } from './gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from './gen/trawl/v1/sweep_service.ts';

/** An agent runs trials; a viewer looks; an operator also submits and steers. */
export const ROLES = ['agent', 'viewer', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Roles that a person has. */
export const USER_ROLES = ['viewer', 'operator'] as const satisfies readonly Role[];

const AGENTS: readonly Role[] = ['agent'];
const PEOPLE: readonly Role[] = USER_ROLES;
const OPERATORS: readonly Role[] = ['operator'];

/** Every method must stand here: a service's new one does not compile without. */
const SWEEP_SERVICE: Record<keyof typeof SweepServiceService, readonly Role[]> = {
  submit: OPERATORS,
  controlSweep: OPERATORS,
  retryTrials: OPERATORS,
  listSweeps: PEOPLE,
  getSweep: PEOPLE,
  listTrials: PEOPLE,
  listConfigs: PEOPLE,
  listCurves: PEOPLE,
  getTrial: PEOPLE,
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
  // An agent reads the checkpoints of the trials that it holds, and no others.
  read: [...PEOPLE, ...AGENTS],
};

/** A backup holds everything, and may be restored elsewhere. */
const OPERATIONS_SERVICE: Record<keyof typeof OperationsServiceService, readonly Role[]> = {
  drainAgent: OPERATORS,
  undrainAgent: OPERATORS,
  prune: OPERATORS,
  backup: OPERATORS,
};

/** What general gRPC tools ask of any server. */
const OF_ANY_SERVER: readonly [string, readonly Role[]][] = [
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
  ...pathsOf(OperationsServiceService, OPERATIONS_SERVICE),
  ...OF_ANY_SERVER,
]);

function pathsOf<Name extends string>(
  service: Record<Name, { readonly path: string }>,
  roles: Record<Name, readonly Role[]>,
): [string, readonly Role[]][] {
  return (Object.keys(roles) as Name[]).map((name) => [service[name].path, roles[name]]);
}

/**
 * The roles that may call a method; none for a method that is not known.
 * @param path such as `/trawl.v1.SweepService/Submit`
 */
export function rolesOf(path: string): readonly Role[] {
  return byPath.get(path) ?? [];
}
