/** What the figures were taken on. */

import { execFileSync } from 'node:child_process';
import { cpus, platform, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly nodeMajor: number;
  readonly v8: string;
  readonly commit: string;
  readonly date: string;
}

export function describeMachine(root: string): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() || 'unknown',
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.versions.node,
    nodeMajor: Number.parseInt(process.versions.node, 10),
    v8: process.versions.v8,
    commit: commitOf(root),
    date: new Date().toISOString().slice(0, 10),
  };
}

function commitOf(root: string): string {
  try {
    const commit = git(root, 'rev-parse', '--short=12', 'HEAD');
    const changes = git(root, 'status', '--porcelain', '--', 'src');
    return changes === '' ? commit : `${commit}, with changes to src`;
  } catch {
    return 'unknown';
  }
}

function git(root: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}
