export function notesOf(changelog: string, heading: string): string | undefined;
export function released(changelog: string, version: string, day: string): string;
