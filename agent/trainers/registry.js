import { noop } from './noop.js';
const trainers = {
    // Loaded on first use: TensorFlow.js takes a moment that a no-op trial should not pay.
    autoencoder: async (run) => (await import('./autoencoder/train.js')).autoencoder(run),
    noop,
};
/** Looks a trainer up; undefined when this agent has none of that name. */
export function trainerNamed(name) {
    return Object.hasOwn(trainers, name) ? trainers[name] : undefined;
}
//# sourceMappingURL=registry.js.map