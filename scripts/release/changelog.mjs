/** CHANGELOG.md gives the notes of a release: what stands under "Unreleased". */

const UNRELEASED = /^## Unreleased\n/m;
const SECTION = /^## /m;

/** What stands under a heading of the second level, such as "Unreleased" or "1.0.0"; undefined if it is not there. */
export function notesOf(changelog, heading) {
  const sections = changelog.split(SECTION).slice(1);
  const section = sections.find((text) => text.startsWith(`${heading}\n`) || text.startsWith(`${heading}, `));
  return section?.slice(section.indexOf('\n')).trim();
}

/** The changelog after a release on that day (ISO 8601). */
export function released(changelog, version, day) {
  return changelog.replace(UNRELEASED, `## Unreleased\n\n## ${version}, ${day}\n`);
}
