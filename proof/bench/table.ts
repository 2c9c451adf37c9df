/** The figures as people read them. */
import type { Machine, Measured } from './main.js';

export function inWords({ machine, quick, ...figures }: Measured & { machine: Machine; quick: boolean }): string {
  const { cpu, cores, memoryGb, node, temporalServer, sdk } = machine;
  return [
    `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}, Temporal server ${temporalServer}, SDK ${sdk}`,
    ...(quick ? ['A few of everything: these figures say nothing.'] : []),
    ...Object.entries(figures).map(([name, figure]) => `${name}\n${lines(figure, '  ')}`),
  ].join('\n');
}

function lines(value: object, indent: string): string {
  return Object.entries(value)
    .map(([name, each]) =>
      typeof each === 'object' &&
      each !== null &&
      Object.values(each as object).some((inner) => typeof inner === 'object')
        ? `${indent}${name}\n${lines(each as object, `${indent}  `)}`
        : `${indent}${name}: ${typeof each === 'object' ? JSON.stringify(each).replace(/[{}"]/g, '').replace(/,/g, ', ') : String(each)}`,
    )
    .join('\n');
}
