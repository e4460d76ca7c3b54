/** A place that a data set can be had from. */
export {};
//# sourceMappingURL=source.js.map