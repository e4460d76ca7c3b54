/** Something whose speed is measured. */
export interface Step {
  take(): Promise<void>;
  /** Resolves when the device has done all that was taken. */
  settle(): Promise<void>;
}
