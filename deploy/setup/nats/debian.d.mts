export function aptInstall(env: NodeJS.ProcessEnv, name?: string): Promise<void>;
