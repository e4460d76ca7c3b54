/** The operator endpoints (HTTP and gRPC) of the coordinator and the agents. */
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { testFolder } from '../support/folder.ts';
import { healthOf, reflect } from '../support/grpc-tools.ts';
import { until } from '../support/until.ts';

interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const codeOf = async (url: string) => (await fetch(url)).status;

test('Prometheus discovers an agent, and the coordinator and the agent report whether they are ready', {
  timeout: 180_000,
}, async () => {
  const cluster = await Cluster.start(testFolder(), { lease: '4s' });
  const at = (page: string) => cluster.metricsUrl.replace('/metrics', page);
  expect(JSON.parse(await cluster.page('/sd'))).toEqual([]);
  expect(await codeOf(at('/healthz'))).toBe(200);
  expect(await codeOf(at('/readyz'))).toBe(200);
  expect(await healthOf(cluster.address, 'trawl.v1.SweepService')).toBe('SERVING');

  await cluster.startAgent('one', 2);
  const [found] = await until('the agent is discovered', async () => {
    const groups = JSON.parse(await cluster.page('/sd')) as TargetGroup[];
    return groups.length > 0 && groups;
  });
  expect(found?.labels).toMatchObject({ __meta_trawl_agent: 'one' });
  const agent = `http://${found?.targets[0]}`;
  expect(await cluster.page('/metrics', agent)).toContain('trawl_agent_spooled_records{agent="one"} 0');
  expect(await codeOf(`${agent}/healthz`)).toBe(200);
  await until('the agent is ready', async () => (await codeOf(`${agent}/readyz`)) === 200);

  await cluster.killNats();
  await until('the coordinator is not ready', async () => (await codeOf(at('/readyz'))) === 503);
  expect(await healthOf(cluster.address, '')).toBe('NOT_SERVING');
  expect(await codeOf(at('/healthz'))).toBe(200);
  await cluster.startNats();
  await until('the coordinator is ready again', async () => (await codeOf(at('/readyz'))) === 200);
  const metrics = await cluster.page('/metrics');
  expect(metrics).toContain('trawl_nats_reconnects_total{component="coordinator"} 1');
  expect(metrics).toMatch(
    /trawl_grpc_server_handled_total\{grpc_service="grpc.health.v1.Health",grpc_method="Check",grpc_code="OK"\} 2/,
  );

  await cluster.coordinator.killNow();
  await until('the agent is not ready', async () => (await codeOf(`${agent}/readyz`)) === 503);
});

test('a generic gRPC tool finds every method without the .proto files', { timeout: 120_000 }, async () => {
  const cluster = await Cluster.start(testFolder());
  const services = await reflect(cluster.address, { list_services: '' });
  const names = services.list_services_response?.service.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['trawl.v1.SweepService', 'trawl.v1.AttemptService']));
  const file = await reflect(cluster.address, { file_containing_symbol: 'trawl.v1.SweepService.Submit' });
  expect(file.file_descriptor_response?.file_descriptor_proto.join('')).toContain('SubmitRequest');
});
