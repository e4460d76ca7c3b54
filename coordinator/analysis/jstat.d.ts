/** Declares the functions of jstat that trawl uses, because the package has no types. */
declare module 'jstat' {
  interface JStat {
    readonly studentt: { cdf(x: number, df: number): number; inv(p: number, df: number): number };
    /** The regularized incomplete beta function. */
    ibeta(x: number, a: number, b: number): number;
    readonly normal: {
      pdf(x: number, mean: number, std: number): number;
      cdf(x: number, mean: number, std: number): number;
      inv(p: number, mean: number, std: number): number;
    };
    readonly beta: {
      cdf(x: number, alpha: number, beta: number): number;
      inv(p: number, alpha: number, beta: number): number;
    };
  }
  const jStat: JStat;
  export default jStat;
}
