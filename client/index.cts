/** The library for CommonJS. Its require() loads the ES modules themselves: each class is there once, whoever asks for it. */
// @ts-expect-error: erasableSyntaxOnly leaves no syntax for a CommonJS module.
import library = require('./index.js');
// @ts-expect-error: the same
export = library;
