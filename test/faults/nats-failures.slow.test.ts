import { test } from 'vitest';
import { NATS_FAULTS_LIMIT_MS, surviveNatsFaults } from './nats-faults.ts';

test(
  'faults of NATS end no process and lose no lease or report, and their effects end when their cause is removed',
  {
    timeout: NATS_FAULTS_LIMIT_MS,
  },
  () => surviveNatsFaults(),
);
