import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { packageRoot } from '../../bin/package.ts';
import { parseS3Location } from '../../coordinator/artifacts/s3-location.ts';
import { hasTool, runTool } from '../support/tool.ts';

const CHART = join(packageRoot(), 'deploy', 'helm', 'trawl');
const withoutHelm = !hasTool('helm', ['version']);

interface Manifest {
  readonly kind: string;
  readonly spec: { readonly template?: { readonly spec: Pod }; readonly egress?: readonly object[] };
}
interface Pod {
  readonly securityContext: object;
  readonly volumes: readonly { readonly secret?: { readonly secretName: string } }[];
  readonly containers: readonly {
    readonly securityContext: object;
    readonly resources: { limits: object };
    readonly args: readonly string[];
    readonly env?: readonly { readonly name: string; readonly valueFrom: { readonly secretKeyRef?: object } }[];
    readonly volumeMounts: readonly { readonly name: string }[];
  }[];
}

function render(...args: string[]): Manifest[] {
  const { code, stdout, output } = runTool('helm', ['template', 'test', CHART, '--kube-version', '1.30', ...args]);
  if (code !== 0) throw new Error(output);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

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
  'if identities are configured, each pod uses one, and no agent can read the identities of others',
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
  'with a bucket, only the coordinator gets the location and the credentials of the artifact store',
  () => {
    const set = (values: Record<string, string>) =>
      Object.entries(values).flatMap(([name, value]) => ['--set', `artifacts.${name}=${value}`]);
    const values = { bucket: 'sweeps', prefix: 'team-a', endpoint: 'https://s3.example:9000', quota: '500GiB' };
    const manifests = render(...set({ ...values, pathStyle: 'false', credentialsSecret: 'trawl-s3' }));
    const [agent, coordinator] = manifests
      .flatMap(({ spec }) => spec.template?.spec.containers ?? [])
      .sort((a, b) => (a.args[0] ?? '').localeCompare(b.args[0] ?? ''));
    const locations = (coordinator?.args ?? []).flatMap((arg) => /^--artifacts=(.*)$/.exec(arg)?.[1] ?? []);
    expect(locations.map(parseS3Location)).toEqual([
      {
        ...{ bucket: 'sweeps', prefix: 'team-a/', endpoint: 'https://s3.example:9000', region: undefined },
        ...{ pathStyle: false, direct: true, quotaBytes: 500 * 2 ** 30 },
      },
    ]);
    expect(coordinator?.env?.map(({ name, valueFrom }) => [name, valueFrom.secretKeyRef])).toEqual([
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

test.skipIf(withoutHelm)('the Helm chart rejects an unknown value', () => {
  expect(() => render('--set', 'agents.gpu=2')).toThrow(/additional propert(y|ies) '?gpu/i);
});
