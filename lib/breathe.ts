/** Lets other events be served between two long steps of a computation in JavaScript. */
export const breathe = (): Promise<void> => new Promise((done) => setImmediate(done));
