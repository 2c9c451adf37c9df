/** One argument of a command that people copy into a shell: anyone may have named what it names. */
export function inShell(argument: string): string {
  return /^[\w./:@-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
