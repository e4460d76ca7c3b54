/** An attempt failed, and the trainer knows how. */
export class TrainingError extends Error {
    name = 'TrainingError';
    failureClass;
    constructor(failureClass, message, options) {
        super(message, options);
        this.failureClass = failureClass;
    }
}
//# sourceMappingURL=trainer.js.map