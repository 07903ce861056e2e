/** kds/fences: objects that are signalled once, and how they go with sets (docs/fences.md). */

export type { FenceCallback } from './callback-list.ts';
export { doneFence } from './done-fence.ts';
export {
  Fence,
  type FenceFunction,
  type FenceOptions,
  type FenceStatus,
  type FenceWaitOptions,
} from './fence.ts';
export { type ExportOptions, exportFence, type ImportOptions, importFence } from './sets.ts';
export { createFenceArena, type FenceArena, openFence, SharedFence } from './shared-fence.ts';
export { Timeline, type TimelineOptions } from './timeline.ts';
