import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { packageRoot } from '../../bin/package.ts';
import { parseS3Location } from '../../coordinator/artifacts/s3-location.ts';
import { parsePostgresLocation } from '../../coordinator/store/postgres/location.ts';
import { parseServers } from '../../lib/net/address.ts';
import { hasTool, runTool } from '../support/tool.ts';

const CHART = join(packageRoot(), 'deploy', 'helm', 'trawl');
const withoutHelm = !hasTool('helm', ['version']);

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template?: { readonly spec: Pod };
    readonly ingress?: readonly object[];
    readonly egress?: readonly object[];
  };
}
interface Pod {
  readonly securityContext: object;
  readonly volumes: readonly { readonly secret?: { readonly secretName: string } }[];
  readonly containers: readonly {
    readonly securityContext: object;
    readonly resources: { limits: object };
    readonly args: readonly string[];
    readonly env?: readonly {
      readonly name: string;
      readonly value?: string;
      readonly valueFrom?: { readonly secretKeyRef?: object };
    }[];
    readonly volumeMounts: readonly { readonly name: string }[];
  }[];
}

/** Returns the options of helm that set these values. */
const setting = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

function render(...args: string[]): Manifest[] {
  const { code, stdout, output } = runTool('helm', ['template', 'test', CHART, '--kube-version', '1.30', ...args]);
  if (code !== 0) throw new Error(output);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** Returns the manifest that has one of the given kinds and belongs to a component. */
function manifestOf(manifests: readonly Manifest[], kinds: readonly string[], component: string): Manifest {
  const found = manifests.find(
    ({ kind, metadata }) => kinds.includes(kind) && metadata.name === `test-trawl-${component}`,
  );
  if (found === undefined) throw new Error(`the chart has no ${kinds.join(' or ')} of the ${component}`);
  return found;
}

function podOf(manifests: readonly Manifest[], component: string): Pod {
  const pod = manifestOf(manifests, ['StatefulSet', 'DaemonSet'], component).spec.template?.spec;
  if (pod === undefined) throw new Error(`the ${component} has no pod`);
  return pod;
}

/** Returns the name and the Secret key of each environment variable that a container takes from a Secret. */
const secretsOf = (container: Pod['containers'][number] | undefined) =>
  container?.env?.flatMap(({ name, valueFrom }) =>
    valueFrom?.secretKeyRef === undefined ? [] : [[name, valueFrom.secretKeyRef]],
  );

const policyOf = (manifests: readonly Manifest[], component: string) =>
  manifestOf(manifests, ['NetworkPolicy'], component).spec;

const egressOf = (manifests: readonly Manifest[], component: string) =>
  JSON.stringify(policyOf(manifests, component).egress);

test.skipIf(withoutHelm)('helm lint accepts the Helm chart', () => {
  const { code, output } = runTool('helm', ['lint', '--strict', CHART]);
  expect(code, output).toBe(0);
});

test.skipIf(withoutHelm)(
  'the Helm chart has the documented parts, and no container runs as root or writes to its root file system',
  () => {
    const plain = render();
    expect(plain.map(({ kind }) => kind).sort()).toEqual([
      'DaemonSet',
      'NetworkPolicy',
      'NetworkPolicy',
      'Service',
      'StatefulSet',
    ]);
    const pods = plain.flatMap(({ spec }) => (spec.template === undefined ? [] : [spec.template.spec]));
    expect(pods).toHaveLength(2);
    for (const { securityContext, containers } of pods) {
      expect(securityContext).toMatchObject({ runAsNonRoot: true });
      for (const container of containers) {
        expect(container.securityContext).toMatchObject({
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
        });
        expect(container.resources.limits).toHaveProperty('memory');
      }
    }
    expect(render('--set', 'monitoring.enabled=true').map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['ServiceMonitor', 'PodMonitor', 'PrometheusRule']),
    );
  },
);

test.skipIf(withoutHelm)(
  'if identities are configured, the container of each pod mounts one identity, and not the Secret of all identities',
  () => {
    const secrets = ['--set', 'identities.serverSecret=trawl-server', '--set', 'identities.agentsSecret=trawl-agents'];
    const pods = render(...secrets).flatMap(({ spec }) => (spec.template === undefined ? [] : [spec.template.spec]));
    expect(pods).toHaveLength(2);
    for (const pod of pods) {
      const [container] = pod.containers;
      expect(container?.args).toContain('--identity=/identity');
      expect(container?.volumeMounts.map(({ name }) => name)).not.toContain('identities');
      expect(container?.volumeMounts.map(({ name }) => name)).toContain('identity');
    }
    const named = pods.flatMap(({ volumes }) => volumes.flatMap(({ secret }) => secret?.secretName ?? []));
    expect(named.sort()).toEqual(['trawl-agents', 'trawl-server']);
  },
);

test.skipIf(withoutHelm)(
  'if artifacts are in a bucket, only the coordinator gets the location and the credentials of the bucket',
  () => {
    const set = (values: Record<string, string>) =>
      setting(Object.fromEntries(Object.entries(values).map(([name, value]) => [`artifacts.${name}`, value])));
    const values = { bucket: 'sweeps', prefix: 'team-a', endpoint: 'https://s3.example:9000', quota: '500GiB' };
    const manifests = render(...set({ ...values, pathStyle: 'false', credentialsSecret: 'trawl-s3' }));
    const [agent, coordinator] = manifests
      .flatMap(({ spec }) => spec.template?.spec.containers ?? [])
      .sort((a, b) => (a.args[0] ?? '').localeCompare(b.args[0] ?? ''));
    const locations = (coordinator?.args ?? []).flatMap((arg) => /^--artifacts=(.*)$/.exec(arg)?.[1] ?? []);
    expect(locations.map((location) => parseS3Location(location))).toEqual([
      {
        ...{ bucket: 'sweeps', prefix: 'team-a/', endpoint: 'https://s3.example:9000', region: undefined },
        ...{ pathStyle: false, direct: true, quotaBytes: 500 * 2 ** 30 },
      },
    ]);
    expect(secretsOf(coordinator)).toEqual([
      ['AWS_ACCESS_KEY_ID', { name: 'trawl-s3', key: 'AWS_ACCESS_KEY_ID' }],
      ['AWS_SECRET_ACCESS_KEY', { name: 'trawl-s3', key: 'AWS_SECRET_ACCESS_KEY' }],
      ['AWS_SESSION_TOKEN', { name: 'trawl-s3', key: 'AWS_SESSION_TOKEN', optional: true }],
    ]);
    expect(agent?.args.join(' ')).not.toContain('s3://');
    expect(JSON.stringify(agent?.env)).not.toContain('AWS_');
    const permitted = (manifests: readonly Manifest[]) =>
      manifests
        .filter(({ kind }) => kind === 'NetworkPolicy')
        .map(({ spec }) => JSON.stringify(spec.egress))
        .filter((egress) => egress.includes('9000')).length;
    const port = ['--set', 'networkPolicy.artifactPort=9000'];
    expect(permitted(render(...set(values), ...port))).toBe(2);
    expect(permitted(render(...set({ ...values, direct: 'false' }), ...port))).toBe(1);
    expect(permitted(render(...port))).toBe(0);
  },
);

/** Helm values that deploy PostgreSQL and an S3-compatible server with the chart. */
const IN_CHART = {
  ...{ 'postgresql.enabled': 'true', 'postgresql.secret': 'trawl-postgresql' },
  ...{ 's3.enabled': 'true', 'artifacts.bucket': 'sweeps', 'artifacts.credentialsSecret': 'trawl-s3' },
};

test.skipIf(withoutHelm)('the location and the TLS files of an existing database come from Secrets', () => {
  const manifests = render(...setting({ 'store.secret': 'trawl-store', 'store.filesSecret': 'trawl-store-files' }));
  const { containers, volumes } = podOf(manifests, 'coordinator');
  expect(secretsOf(containers[0])).toEqual([
    ['TRAWL_STORE', { name: 'trawl-store', key: 'TRAWL_STORE' }],
    ['PGPASSWORD', { name: 'trawl-store', key: 'PGPASSWORD', optional: true }],
  ]);
  expect(volumes.map(({ secret }) => secret?.secretName)).toContain('trawl-store-files');
  expect(containers[0]?.volumeMounts.map(({ name }) => name)).toContain('store');
  expect(JSON.stringify(podOf(manifests, 'agent'))).not.toContain('trawl-store');
  expect(egressOf(manifests, 'coordinator')).toContain('"port":5432');
  expect(egressOf(manifests, 'agent')).not.toContain('"port":5432');
});

test.skipIf(withoutHelm)(
  'if the chart deploys PostgreSQL and an S3 server, the coordinator uses both servers, and only pods of trawl can reach them',
  () => {
    const manifests = render(...setting(IN_CHART));
    const pods = manifests.flatMap(({ spec }) => (spec.template === undefined ? [] : [spec.template.spec]));
    expect(pods).toHaveLength(4);
    for (const { securityContext, containers } of pods) {
      expect(securityContext).toMatchObject({ runAsNonRoot: true });
      for (const { securityContext, resources } of containers) {
        expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
        expect(resources.limits).toHaveProperty('memory');
      }
    }
    const [coordinator] = podOf(manifests, 'coordinator').containers;
    const url = coordinator?.env?.find(({ name }) => name === 'TRAWL_STORE')?.value ?? '';
    expect(parsePostgresLocation(url).urls.map(({ hostname }) => hostname)).toEqual(['test-trawl-postgresql']);
    const location = coordinator?.args.flatMap((arg) => /^--artifacts=(.*)$/.exec(arg)?.[1] ?? [])[0];
    expect(parseS3Location(location ?? '')).toMatchObject({ bucket: 'sweeps', endpoint: 'http://test-trawl-s3:9000' });
    const services = manifests.filter(({ kind }) => kind === 'Service').map(({ metadata }) => metadata.name);
    expect(services).toEqual(expect.arrayContaining(['test-trawl-postgresql', 'test-trawl-s3']));
    const callers = (manifests: readonly Manifest[], component: string) =>
      [...JSON.stringify(policyOf(manifests, component).ingress).matchAll(/component":"([a-z0-9]+)"/g)].map(
        ([, caller]) => caller,
      );
    expect(callers(manifests, 'postgresql')).toEqual(['coordinator']);
    expect(callers(manifests, 's3')).toEqual(['coordinator', 'agent']);
    expect(callers(render(...setting({ ...IN_CHART, 'artifacts.direct': 'false' })), 's3')).toEqual(['coordinator']);
  },
);

const REPLICAS = { ...IN_CHART, 'coordinator.replicas': '2' };

test.skipIf(withoutHelm)(
  'coordinators run on different nodes and publish their pod names, and at most one coordinator is evicted at a time',
  () => {
    const manifests = render(...setting(REPLICAS));
    const { spec } = manifestOf(manifests, ['StatefulSet'], 'coordinator');
    expect(spec).toMatchObject({
      ...{ replicas: 2, podManagementPolicy: 'Parallel', updateStrategy: { type: 'RollingUpdate' } },
      template: {
        spec: {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }],
            },
          },
        },
      },
    });
    const { spec: budget } = manifestOf(manifests, ['PodDisruptionBudget'], 'coordinator');
    expect(budget).toMatchObject({
      maxUnavailable: 1,
      selector: { matchLabels: { 'app.kubernetes.io/component': 'coordinator' } },
    });
    const [coordinator] = podOf(manifests, 'coordinator').containers;
    expect(coordinator?.args).toContain('--advertise=$(POD_NAME).test-trawl-coordinator:7070');
    const [agent] = podOf(manifests, 'agent').containers;
    const servers = agent?.args.flatMap((arg) => /^--server=(.*)$/.exec(arg)?.[1] ?? [])[0] ?? '';
    expect(parseServers(servers, '--server')).toEqual(
      [0, 1].map((pod) => `test-trawl-coordinator-${pod}.test-trawl-coordinator:7070`),
    );
    const preferred = render(...setting({ ...REPLICAS, 'coordinator.antiAffinity': 'preferred' }));
    expect(JSON.stringify(podOf(preferred, 'coordinator'))).toContain('preferredDuringScheduling');
  },
);

test.skipIf(withoutHelm)('values-ha.yaml deploys two coordinators, PostgreSQL and an S3-compatible server', () => {
  const kinds = render('--values', join(CHART, 'values-ha.yaml')).map(
    ({ kind, metadata }) => `${kind} ${metadata.name}`,
  );
  expect(kinds).toEqual(render(...setting(REPLICAS)).map(({ kind, metadata }) => `${kind} ${metadata.name}`));
});

test.skipIf(withoutHelm).each([
  [{ ...IN_CHART, 'store.secret': 'a' }, /postgresql.enabled and store.secret exclude each other/],
  [{ 'postgresql.enabled': 'true' }, /requires postgresql.secret/],
  [{ 's3.enabled': 'true' }, /requires artifacts.bucket and artifacts.credentialsSecret/],
  [{ 'coordinator.replicas': '2', 'artifacts.bucket': 'sweeps' }, /replicas above 1 requires a store in PostgreSQL/],
  [
    { 'coordinator.replicas': '2', 'store.secret': 'a' },
    /replicas above 1 requires artifacts in an S3-compatible store/,
  ],
])('the Helm chart rejects an incomplete configuration of the stores: %o', (values, message) => {
  expect(() => render(...setting(values))).toThrow(message);
});

test.skipIf(withoutHelm)('the Helm chart rejects an unknown value', () => {
  expect(() => render('--set', 'agents.gpu=2')).toThrow(/additional propert(y|ies) '?gpu/i);
});
