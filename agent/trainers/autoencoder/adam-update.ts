/** One step of Adam on the device, for whoever keeps the values. */
import * as tf from '@tensorflow/tfjs-core';
import { type AdamValues, BETA1, BETA2, EPSILON, type MemberStep } from './adam-rule.ts';

/**
 * The moments are sums, which saves two passes over the parameters against means.
 * @param gradient with the elastic net, in the shape of the values
 * @returns their successors
 */
export function adamUpdate(
  { parameters, first, second }: AdamValues,
  gradient: tf.Tensor3D,
  members: readonly MemberStep[],
): AdamValues {
  const unbiased2 = members.map(({ steps }) => Math.sqrt((1 - BETA2) / (1 - BETA2 ** steps)));
  const rates = members.map(({ learningRate, steps }, member) => {
    return (learningRate * (1 - BETA1)) / (1 - BETA1 ** steps) / (unbiased2[member] ?? 1);
  });
  return tf.tidy(() => {
    const nextFirst = tf.add<tf.Tensor3D>(tf.mul(first, BETA1), gradient);
    const nextSecond = tf.add<tf.Tensor3D>(tf.mul(second, BETA2), tf.square(gradient));
    const epsilon = each(unbiased2.map((factor) => EPSILON / factor));
    const move = tf.div(tf.mul(nextFirst, each(rates)), tf.add(tf.sqrt(nextSecond), epsilon));
    return { first: nextFirst, second: nextSecond, parameters: tf.sub<tf.Tensor3D>(parameters, move) };
  });
}

/** A number of each member, to be multiplied with or added to `[members, rows, ROW]`; one number where all have it. */
export function each(values: readonly number[]): number | tf.Tensor3D {
  const [first = 0, ...others] = values;
  return others.every((value) => value === first) ? first : tf.tensor3d([...values], [values.length, 1, 1]);
}
