import { datasetNamed } from '../../data/catalogue.js';
import { TrainingError } from '../trainer.js';
/** @throws {TrainingError} `rejected`, for what the check at submit lets through and this trainer cannot use. */
export function settingsOf(parameters) {
    const number = (name) => {
        const value = parameters[name];
        if (typeof value !== 'number')
            throw rejected(name, value, 'a number');
        return value;
    };
    const { dataset, depth, l1_in_gradient: l1InGradient } = parameters;
    const known = datasetNamed(String(dataset));
    if (known === undefined)
        throw rejected('dataset', dataset, 'a known data set');
    if (depth !== 3 && depth !== 5)
        throw rejected('depth', depth, '3 or 5');
    if (typeof l1InGradient !== 'boolean')
        throw rejected('l1_in_gradient', l1InGradient, 'true or false');
    return {
        dataset: known.name,
        depth,
        latentDim: number('latent_dim'),
        lambdaL1: number('lambda_l1'),
        weightDecay: number('weight_decay'),
        noiseStd: number('noise_std'),
        epochs: number('epochs'),
        batchSize: number('batch_size'),
        learningRate: number('learning_rate'),
        trainSize: number('train_size'),
        l1InGradient,
    };
}
function rejected(name, value, expected) {
    return new TrainingError('rejected', `autoencoder: ${name} is ${JSON.stringify(value)}, expected ${expected}`);
}
//# sourceMappingURL=settings.js.map