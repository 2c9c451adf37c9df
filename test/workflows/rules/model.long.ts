/** The model of `model.test.ts` with so many lives that it takes minutes. */
process.env['MODEL_RUNS'] ??= '20000';
await import('./model.test.js');
