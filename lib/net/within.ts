/** What comes of a promise, unless that takes too long. @throws what `late` is, then */
export function within<T>(limitMs: number, late: Error, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(reject, limitMs, late);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
