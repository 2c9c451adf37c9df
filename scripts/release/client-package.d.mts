export function packClient(root: string, destination: string): string;
