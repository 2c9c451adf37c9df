/** A failure with instructions for a person. Any other error is a defect of the setup itself. */
export class SetupFailure extends Error {
  name = 'SetupFailure';
}

const SHOWN_LINES = 15;

/** The end of a tool's output, indented below the sentence that says what failed. */
export function lastLines(output, count = SHOWN_LINES) {
  return output
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n');
}
