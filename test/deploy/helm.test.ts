import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { packageRoot } from '../../bin/package.ts';
import { hasTool, runTool } from '../support/tool.ts';

const CHART = join(packageRoot(), 'deploy', 'helm', 'trawl');
const withoutHelm = !hasTool('helm', ['version']);

interface Manifest {
  readonly kind: string;
  readonly spec: { readonly template?: { readonly spec: Pod } };
}
interface Pod {
  readonly securityContext: object;
  readonly volumes: readonly { readonly secret?: { readonly secretName: string } }[];
  readonly containers: readonly {
    readonly securityContext: object;
    readonly resources: { limits: object };
    readonly args: readonly string[];
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
  'with identities, the coordinator and the agents run with an identity, and no agent can read the identities of others',
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

test.skipIf(withoutHelm)('the Helm chart rejects an unknown value', () => {
  expect(() => render('--set', 'agents.gpu=2')).toThrow(/additional propert(y|ies) '?gpu/i);
});
