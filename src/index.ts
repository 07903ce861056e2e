/**
 * kds: take several locks at once, or none.
 *
 * A caller names a set of resources, each shared or exclusive, and gets all of it at one moment or
 * waits its turn: without deadlock between sets, and without starvation. It descends from ARM's
 * Kernel Dependency System of 2012 (docs/lineage.md).
 */

export * from './api/index.ts';
export * from './backends/process/index.ts';
