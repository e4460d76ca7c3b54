/** Which way a metric is better when nobody says. */
import type { GoalName } from '../../proto/names.ts';

/** More is better for PSNR and accuracy (`psnr_peak1`, `test_accuracy`), less for the rest. */
export function usualGoal(metric: string): GoalName {
  return /^(psnr|accuracy)|_(psnr|accuracy)$/.test(metric) ? 'maximize' : 'minimize';
}
