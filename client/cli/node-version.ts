/** Says why a version of Node, such as "18.20.4", cannot run the command line; undefined if it can. */
export function faultOfNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < 20 || (major === 20 && minor < 19);
  return isOld ? `bill-run-emails needs Node 20.19 or later; this is ${version}` : undefined;
}
