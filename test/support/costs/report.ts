/** Reporter: after a run of several test files, what each of them cost. */
import { relative } from 'node:path';
import type { Reporter, TestModule, TestRunEndReason, SerializedError } from 'vitest/node';
import { projectRoot } from '../../../scripts/project-root.js';

/** Files that cost less are counted together. */
const LEAST_LISTED_MS = 1_000;

interface Cost {
  readonly file: string;
  readonly wallMs: number;
  readonly cpuMs: number;
}

export default class Costs implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], _errors: readonly SerializedError[], reason: TestRunEndReason): void {
    if (modules.length < 2 || reason === 'interrupted') return;
    const costs = modules.map(costOf).toSorted((one, other) => other.cpuMs - one.cpuMs);
    const listed = costs.filter(({ wallMs, cpuMs }) => Math.max(wallMs, cpuMs) >= LEAST_LISTED_MS);
    const others = costs.filter((cost) => !listed.includes(cost));
    const rows = [...listed, sum(`${others.length} others`, others), sum(`${costs.length} test files`, costs)];
    const seconds = (ms: number): string => (ms / 1_000).toFixed(1).padStart(8);
    console.log(
      [
        '',
        '   CPU s  wall s',
        ...rows.map(({ file, wallMs, cpuMs }) => `${seconds(cpuMs)}${seconds(wallMs)}  ${file}`),
      ].join('\n'),
    );
  }
}

function costOf(module: TestModule): Cost {
  const { prepareDuration, collectDuration, setupDuration, duration } = module.diagnostic();
  return {
    file: relative(projectRoot, module.moduleId),
    wallMs: prepareDuration + collectDuration + setupDuration + duration,
    cpuMs: module.meta().cpuMs ?? 0,
  };
}

function sum(file: string, costs: readonly Cost[]): Cost {
  const total = (of: (cost: Cost) => number): number => costs.reduce((before, cost) => before + of(cost), 0);
  return { file, wallMs: total(({ wallMs }) => wallMs), cpuMs: total(({ cpuMs }) => cpuMs) };
}
