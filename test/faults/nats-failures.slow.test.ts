import { test } from 'vitest';
import { NATS_FAULTS_LIMIT_MS, surviveNatsFaults } from './nats-faults.ts';

test(
  'faults of NATS end no process, lose no lease or report, and have no effect after their end',
  {
    timeout: NATS_FAULTS_LIMIT_MS,
  },
  () => surviveNatsFaults(),
);
