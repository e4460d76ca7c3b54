import { test } from 'vitest';
import { NATS_FAULTS_LIMIT_MS, surviveNatsFaults } from './nats-faults.ts';

test(
  'during faults of NATS, no process ends and no lease or report is lost, and the faults have no lasting effect',
  {
    timeout: NATS_FAULTS_LIMIT_MS,
  },
  () => surviveNatsFaults(),
);
