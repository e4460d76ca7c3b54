/** How many cores a slot's computations may keep busy. */

/**
 * The cores are shared out evenly: `cores / slots` threads a slot, rounded down, at least one. So many operations of a
 * step run at the same time, and half as many threads share one operation: waking threads for each of a step's small
 * operations costs more than it brings (bench/RESULTS.md). Variables that the user has set stay as they are; with
 * libtensorflow the number of threads changes no bit of a result (see native-package.ts).
 * @returns variables for the environment of a slot's process
 */
export function threadEnvironment(cores: number, slots: number, env: NodeJS.ProcessEnv): Record<string, string> {
  const threads = Math.max(1, Math.floor(cores / slots));
  const wanted = {
    TF_NUM_INTRAOP_THREADS: `${Math.ceil(threads / 2)}`,
    TF_NUM_INTEROP_THREADS: `${threads}`,
    // What programs of the user's own go by: PyTorch, NumPy, OpenBLAS.
    OMP_NUM_THREADS: `${threads}`,
  };
  return Object.fromEntries(Object.entries(wanted).map(([name, value]) => [name, env[name] || value]));
}
