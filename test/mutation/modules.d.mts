export const modules: readonly string[];
export const tests: readonly string[];
