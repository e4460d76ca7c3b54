function naming() {
    return (prefix) => ({
        of: (value) => value.slice(prefix.length).toLowerCase(),
        to: (name) => `${prefix}${name.toUpperCase()}`,
    });
}
export const trialState = naming()('TRIAL_STATE_');
export const sweepState = naming()('SWEEP_STATE_');
export const failureClass = naming()('FAILURE_CLASS_');
export const attemptOutcome = naming()('ATTEMPT_OUTCOME_');
export const agentState = naming()('AGENT_STATE_');
export const goal = naming()('GOAL_');
//# sourceMappingURL=names.js.map