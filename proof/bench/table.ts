/** The figures as text. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly temporalServer: string;
  readonly sdk: string;
}

export interface Measured {
  readonly machine: Machine;
  /** A trial with small numbers. */
  readonly quick: boolean;
  readonly figures: Readonly<Record<string, object>>;
}

export function tableOf({ machine, quick, figures }: Measured): string {
  const { cpu, cores, memoryGb, node, temporalServer, sdk } = machine;
  return [
    `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}, Temporal server ${temporalServer}, SDK ${sdk}`,
    ...(quick ? ['A quick trial: these figures say nothing.'] : []),
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
