import { test } from 'vitest';
import { NATS_FAULTS_LIMIT_MS, surviveNatsFaults } from './nats-faults.ts';

test(
  'no fault of NATS ends an agent or the coordinator, loses a lease or a report, or remains after its cause',
  {
    timeout: NATS_FAULTS_LIMIT_MS,
  },
  () => surviveNatsFaults(),
);
